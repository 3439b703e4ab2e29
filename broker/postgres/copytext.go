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
	seeking bool // some column is looked at by detectors
	// runs is true where detectors may look over many rows at once: no delimiter
	// joins two values into one or looks like a part of them.
	runs bool

	row     []byte // of the row under way, when it came in parts
	out     []byte
	value   []byte // of the field under way, decoded
	field   []byte // what stands for it, encoded
	quoted  bool   // state of the csv scan at the end of row
	escaped bool   // the last byte escapes the next
}

func newCopyMasker(cp *sql.CopyFacts, columns []columnPlan, m *masker) *copyMasker {
	c := &copyMasker{columns: columns, masker: m, csv: cp.Format == "csv", header: cp.Header,
		delim: one(cp.Delimiter, '\t'), null: []byte(cp.Null)}
	if c.csv {
		c.delim = one(cp.Delimiter, ',')
		c.quote = one(cp.Quote, '"')
		c.escape = one(cp.Escape, c.quote)
	}
	for i := range columns {
		c.seeking = c.seeking || columns[i].seek != nowhere
	}
	c.runs = bytes.IndexByte([]byte("\t,;|"), c.delim) >= 0
	return c
}

func one(s string, otherwise byte) byte {
	if len(s) == 1 {
		return s[0]
	}
	return otherwise
}

// frame handles the CopyData of size bytes at the flow's position.
func (m *copyMasker) frame(f *flow, size int) error {
	if done, err := m.whole(f, size); done || err != nil {
		return err
	}
	f.commit()
	out, err := m.data(f.out, f.buf[f.pos+headerSize:f.pos+size])
	if err != nil {
		return err
	}
	f.sent += int64(len(out) - len(f.out))
	f.out = out
	f.omit(size)
	return nil
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
	n := bytes.IndexByte(data, '\n') + 1
	if !m.csv && n == 0 {
		return -1
	}
	if n > 0 && (!m.csv || !m.quoted && !m.escaped && bytes.IndexByte(data[:n], m.quote) < 0) {
		return n
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
	special := m.special(line)
	for i := range m.columns {
		n, quoted, err := m.fieldOf(i, line, special)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			m.out = append(m.out, m.delim)
		}
		if with, changed := m.masked(&m.columns[i], line[:n], quoted, true); changed {
			m.out = append(m.out, with...)
		} else {
			m.out = append(m.out, line[:n]...)
		}
		line = line[min(n+1, len(line)):]
	}
	return appendCopyData(dst, append(m.out, ending...)), nil
}

// whole looks at the CopyData of size bytes at the flow's position, where that
// is one whole row, and lets it pass, changed in place where lengths stay. ok
// is false where it is not.
func (m *copyMasker) whole(f *flow, size int) (ok bool, err error) {
	row := f.buf[f.pos : f.pos+size]
	data := row[headerSize:]
	if len(m.row) > 0 || m.header || len(m.columns) == 0 || string(data) == "\\.\n" {
		return false, nil
	}
	if n := m.rowEnd(data); n != len(data) || n == 0 {
		m.quoted, m.escaped = false, false
		return false, nil
	}
	if m.seeking && m.runs && f.pos >= m.masker.runEnd {
		m.masker.scan(f, 'd')
	}
	w := rowWriter{flow: f, row: row, base: f.pos}
	at, end := headerSize, size-1
	special := m.special(data)
	for i := range m.columns {
		n, quoted, err := m.fieldOf(i, row[at:end], special)
		if err != nil {
			return false, err
		}
		touched := !m.runs || m.masker.touched(w.base+at, w.base+at+n)
		if with, changed := m.masked(&m.columns[i], row[at:at+n], quoted, touched); changed {
			w.text(at, at+n, with)
		}
		at = min(at+n+1, end)
	}
	w.end()
	return true, nil
}

// special reports whether a row holds what gives other bytes another meaning.
func (m *copyMasker) special(row []byte) bool {
	if m.csv {
		return bytes.IndexByte(row, m.quote) >= 0
	}
	return bytes.IndexByte(row, '\\') >= 0
}

// fieldOf gives the length of column i's field at the start of line, and
// whether it must be decoded. The last field ends the line, and no other does.
func (m *copyMasker) fieldOf(i int, line []byte, special bool) (n int, quoted bool, err error) {
	ok := true
	if special {
		n, quoted, ok = m.fieldEnd(line)
	} else if n = bytes.IndexByte(line, m.delim); n < 0 {
		n = len(line)
	}
	if !ok || (n == len(line)) != (i == len(m.columns)-1) {
		return 0, false, fmt.Errorf("%w: a row of copy data has other fields than the target said", errProtocol)
	}
	return n, quoted, nil
}

// fieldEnd gives the length of the field at the start of line, and whether it
// holds quotes or escapes; ok is false for one whose quotes do not end.
func (m *copyMasker) fieldEnd(line []byte) (n int, special, ok bool) {
	quoted, escaped := false, false
	for i, b := range line {
		switch {
		case escaped:
			escaped = false
		case !m.csv && b == '\\':
			escaped, special = true, true
		case quoted && b == m.escape && m.escape != m.quote:
			escaped = true
		case m.csv && b == m.quote:
			quoted, special = !quoted, true
		case b == m.delim && !quoted:
			return i, special, true
		}
	}
	return len(line), special, !quoted
}

// masked gives what stands for a field, as it is written, where the plan
// changes it. What it returns is overwritten by the next call. An escape may
// hide a value from detectors, or make one of two.
func (m *copyMasker) masked(c *columnPlan, field []byte, special, touched bool) (with []byte, changed bool) {
	if c.method == nil && (c.seek == nowhere || !touched && !special) || bytes.Equal(field, m.null) && !m.hidesNull(c) {
		return nil, false
	}
	value := field
	if special {
		m.value = m.decode(m.value[:0], field)
		value = m.value
	}
	with, changed, null := m.replace(c, value)
	if null {
		return m.null, changed
	}
	if changed {
		m.field = m.encode(m.field[:0], with)
	}
	return m.field, changed
}

// hidesNull reports whether what reads as NULL must be replaced: it may tell
// another value, or be one, as text other than \N that stands for NULL is not
// told from the same text as a value ("File Formats").
func (m *copyMasker) hidesNull(c *columnPlan) bool {
	return c.method != nil && (c.computed || !m.csv && string(m.null) != `\N`)
}

func (m *copyMasker) replace(c *columnPlan, value []byte) (with []byte, changed, null bool) {
	if c.method != nil {
		c.masked++
		with, null = c.method.Apply(m.masker.scratch[:0], value, c.kind, false)
		m.masker.grown(with)
		return with, true, null
	}
	with, changed = m.masker.detectors.MaskText(m.masker.scratch[:0], value, mask.Context{Name: c.name}, m.masker.found)
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
	from := 0 // value[from:i] is written as it is
	for i, b := range value {
		if b >= ' ' && b != '\\' && b != m.delim {
			continue
		}
		dst = append(dst, value[from:i]...)
		from = i
		if at := bytes.IndexByte([]byte("\b\f\n\r\t\v"), b); at >= 0 {
			dst = append(dst, '\\', "bfnrtv"[at])
			from++
		} else if b == '\\' || b == m.delim {
			dst = append(dst, '\\')
		}
	}
	return append(dst, value[from:]...)
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
