package postgres

import (
	"bytes"
	"fmt"

	"hoop/policy/mask"
	"hoop/policy/sql"
)

// copyMasker masks the data of a COPY TO STDOUT in text or csv format, field by
// field. Rows may be cut anywhere by CopyData messages; each row leaves as one
// message of its own, as PostgreSQL sends it.
type copyMasker struct {
	columns []columnPlan
	masker  *masker
	csv     bool
	header  bool // the next row is the header
	delim   byte
	quote   byte
	escape  byte
	null    []byte

	row     []byte // of the row under way, when it came in parts
	out     []byte
	value   []byte
	quoted  bool // state of the csv scan at the end of row
	escaped bool // the last byte escapes the next
}

func newCopyMasker(cp *sql.CopyFacts, columns []columnPlan, m *masker) *copyMasker {
	c := &copyMasker{columns: columns, masker: m, csv: cp.Format == "csv", header: cp.Header,
		delim: one(cp.Delimiter, '\t'), null: []byte(cp.Null)}
	if c.csv {
		c.delim = one(cp.Delimiter, ',')
		c.quote = one(cp.Quote, '"')
		c.escape = one(cp.Escape, c.quote)
	}
	return c
}

func one(s string, otherwise byte) byte {
	if len(s) == 1 {
		return s[0]
	}
	return otherwise
}

// data appends the rows that end in the data of one CopyData message to dst,
// masked.
func (m *copyMasker) data(dst, data []byte) ([]byte, error) {
	for len(data) > 0 {
		n := m.rowEnd(data)
		if n < 0 {
			if len(m.row)+len(data) > maxResponse {
				return nil, fmt.Errorf("%w: a row of copy data is over %d bytes", errProtocol, maxResponse)
			}
			m.row = append(m.row, data...)
			return dst, nil
		}
		row := data[:n]
		if len(m.row) > 0 {
			m.row = append(m.row, row...)
			row = m.row
		}
		var err error
		if dst, err = m.emit(dst, row); err != nil {
			return nil, err
		}
		m.row = m.row[:0]
		data = data[n:]
	}
	return dst, nil
}

// end appends a last row that has no newline.
func (m *copyMasker) end(dst []byte) ([]byte, error) {
	if len(m.row) == 0 {
		return dst, nil
	}
	return m.emit(dst, m.row)
}

// rowEnd gives the length of the rest of the row, with its newline, or -1. In
// text format a newline within a value is written as \n; in csv it is quoted.
func (m *copyMasker) rowEnd(data []byte) int {
	if !m.csv {
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			return i + 1
		}
		return -1
	}
	for i, b := range data {
		switch {
		case m.escaped:
			m.escaped = false
		case m.quoted && b == m.escape && m.escape != m.quote:
			m.escaped = true
		case b == m.quote:
			m.quoted = !m.quoted
		case b == '\n' && !m.quoted:
			return i + 1
		}
	}
	return -1
}

// emit appends one whole row, masked, as a CopyData frame.
func (m *copyMasker) emit(dst, row []byte) ([]byte, error) {
	m.quoted, m.escaped = false, false
	if m.header {
		m.header = false
		return appendCopyData(dst, row), nil
	}
	line := bytes.TrimSuffix(row, []byte{'\n'})
	ending := row[len(line):]
	if string(line) == `\.` { // the end of the data, which old protocols had
		return appendCopyData(dst, row), nil
	}
	m.out = m.out[:0]
	for i := range m.columns {
		n, ok := m.fieldEnd(line)
		if !ok || (n == len(line)) != (i == len(m.columns)-1) {
			return nil, fmt.Errorf("%w: a row of copy data has other fields than the target said", errProtocol)
		}
		if i > 0 {
			m.out = append(m.out, m.delim)
		}
		m.field(&m.columns[i], line[:n])
		line = line[min(n+1, len(line)):]
	}
	return appendCopyData(dst, append(m.out, ending...)), nil
}

// fieldEnd gives the length of the field at the start of line; ok is false for
// one whose quotes do not end.
func (m *copyMasker) fieldEnd(line []byte) (n int, ok bool) {
	quoted, escaped := false, false
	for i, b := range line {
		switch {
		case escaped:
			escaped = false
		case !m.csv && b == '\\':
			escaped = true
		case quoted && b == m.escape && m.escape != m.quote:
			escaped = true
		case m.csv && b == m.quote:
			quoted = !quoted
		case b == m.delim && !quoted:
			return i, true
		}
	}
	return len(line), !quoted
}

// field appends one field to the row, masked where the plan says so.
func (m *copyMasker) field(c *columnPlan, field []byte) {
	if c.method == nil && c.seek == nowhere || bytes.Equal(field, m.null) {
		m.out = append(m.out, field...)
		return
	}
	m.value = m.decode(m.value[:0], field)
	with, changed, null := m.replace(c)
	switch {
	case !changed:
		m.out = append(m.out, field...)
	case null:
		m.out = append(m.out, m.null...)
	default:
		m.out = m.encode(m.out, with)
	}
}

func (m *copyMasker) replace(c *columnPlan) (with []byte, changed, null bool) {
	if c.method != nil {
		c.masked++
		with, null = c.method.Apply(m.masker.scratch[:0], m.value, c.kind, false)
		m.masker.grown(with)
		return with, true, null
	}
	with, changed = m.masker.detectors.MaskText(m.masker.scratch[:0], m.value, mask.Context{Name: c.name}, m.masker.found)
	m.masker.grown(with)
	return with, changed, false
}

func (m *copyMasker) decode(dst, field []byte) []byte {
	if m.csv {
		return m.decodeCSV(dst, field)
	}
	return decodeText(dst, field)
}

func (m *copyMasker) encode(dst, value []byte) []byte {
	if m.csv {
		return m.encodeCSV(dst, value)
	}
	return m.encodeText(dst, value)
}

// decodeText takes backslash sequences back (COPY, "Text Format").
func decodeText(dst, field []byte) []byte {
	for i := 0; i < len(field); i++ {
		b := field[i]
		if b != '\\' || i+1 == len(field) {
			dst = append(dst, b)
			continue
		}
		i++
		if at := bytes.IndexByte([]byte("bfnrtv"), field[i]); at >= 0 {
			dst = append(dst, "\b\f\n\r\t\v"[at])
			continue
		}
		v, n := codePoint(field[i:])
		if n == 0 {
			v, n = field[i], 1
		}
		dst = append(dst, v)
		i += n - 1
	}
	return dst
}

// codePoint reads \ooo or \xhh, without the backslash.
func codePoint(s []byte) (v byte, n int) {
	base, most := byte(8), 3
	at := 0
	if s[0] == 'x' {
		base, most, at = 16, 2, 1
	}
	for n < most && at+n < len(s) {
		d := digit(s[at+n])
		if d >= base {
			break
		}
		v = v*base + d
		n++
	}
	if n == 0 {
		return 0, 0
	}
	return v, at + n
}

func digit(b byte) byte {
	switch {
	case b >= '0' && b <= '9':
		return b - '0'
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10
	}
	return 255
}

// encodeText writes a value as PostgreSQL's CopyAttributeOutText does.
func (m *copyMasker) encodeText(dst, value []byte) []byte {
	for _, b := range value {
		if at := bytes.IndexByte([]byte("\b\f\n\r\t\v"), b); at >= 0 {
			dst = append(dst, '\\', "bfnrtv"[at])
			continue
		}
		if b == '\\' || b == m.delim {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return dst
}

// decodeCSV takes quotes away.
func (m *copyMasker) decodeCSV(dst, field []byte) []byte {
	quoted := false
	for i := 0; i < len(field); i++ {
		b := field[i]
		switch {
		case quoted && b == m.escape && i+1 < len(field) && (field[i+1] == m.quote || field[i+1] == m.escape):
			i++
			dst = append(dst, field[i])
		case b == m.quote:
			quoted = !quoted
		default:
			dst = append(dst, b)
		}
	}
	return dst
}

// encodeCSV writes a value as PostgreSQL's CopyAttributeOutCSV does: quoted
// where it holds a delimiter, quote or line end, and where it would read as
// NULL or as the end of the data.
func (m *copyMasker) encodeCSV(dst, value []byte) []byte {
	special := bytes.IndexByte(value, m.delim) >= 0 || bytes.IndexByte(value, m.quote) >= 0 ||
		bytes.IndexByte(value, '\n') >= 0 || bytes.IndexByte(value, '\r') >= 0
	if !special && !bytes.Equal(value, m.null) && string(value) != `\.` {
		return append(dst, value...)
	}
	dst = append(dst, m.quote)
	for _, b := range value {
		if b == m.quote || b == m.escape {
			dst = append(dst, m.escape)
		}
		dst = append(dst, b)
	}
	return append(dst, m.quote)
}
