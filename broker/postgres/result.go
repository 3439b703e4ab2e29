package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"hoop/policy/mask"
)

// dataRow handles one DataRow of a result whose values must be looked at.
func (p *responses) dataRow(ctx context.Context, msg []byte) error {
	if p.masker.plan == nil {
		if err := p.prepare(ctx, p.cur); err != nil {
			return err
		}
	}
	p.rows++
	return p.masker.row(&p.flow, len(msg))
}

// row looks at the DataRow of size bytes at the flow's position and lets it
// pass, changed where the plan says so: in place where lengths stay.
func (m *masker) row(f *flow, size int) error {
	if m.plan.seeking && f.pos >= m.runEnd {
		m.scan(f, 'D')
	}
	if !m.plan.labelled && !m.touched(f.pos, f.pos+size) && !m.plan.digits {
		f.pass(size)
		return nil
	}
	return m.walk(f, size)
}

// moved forgets the run of rows looked over: what lies in the buffer lies
// elsewhere from now on, or is new.
func (m *masker) moved() { m.runEnd = 0 }

// scan has the detectors look over all complete frames of a kind that follow,
// at once.
func (m *masker) scan(f *flow, of byte) {
	end := f.pos
	for {
		kind, size, err := frameSize(f.buf[end:f.end])
		if err != nil || kind != of || size == 0 || size > f.end-end {
			break
		}
		end += size
	}
	m.runStart, m.runEnd, m.hit = f.pos, end, 0
	m.hits = m.detectors.Candidates(m.hits[:0], f.buf[f.pos:end])
	slices.SortFunc(m.hits, func(a, b mask.Candidate) int { return int(a.Start) - int(b.Start) })
}

// touched reports whether a candidate overlaps the places from start to end.
// Calls come in ascending order.
func (m *masker) touched(start, end int) bool {
	for m.hit < len(m.hits) && m.runStart+int(m.hits[m.hit].End) <= start {
		m.hit++
	}
	for _, c := range m.hits[m.hit:] {
		if m.runStart+int(c.Start) >= end {
			return false
		}
		if m.runStart+int(c.End) > start {
			return true
		}
	}
	return false
}

// errRow is for a DataRow that is not well formed.
var errRow = fmt.Errorf("%w: the target sent a malformed DataRow", errProtocol)

// walk goes over the cells of the row at the flow's position ("DataRow").
func (m *masker) walk(f *flow, size int) error {
	row := f.buf[f.pos : f.pos+size]
	if len(row) < headerSize+2 || int(binary.BigEndian.Uint16(row[headerSize:])) != len(m.plan.columns) {
		return errRow
	}
	w := rowWriter{flow: f, row: row, base: f.pos}
	at := headerSize + 2
	for i := range m.plan.columns {
		if len(row)-at < 4 {
			return errRow
		}
		n := int(int32(binary.BigEndian.Uint32(row[at:])))
		start := at + 4
		if n < -1 || n > len(row)-start {
			return errRow
		}
		at = start + max(n, 0)
		c := &m.plan.columns[i]
		if n < 0 && !c.computed || c.method == nil && c.seek == nowhere {
			continue
		}
		touched := c.method == nil && m.touched(w.base+start, w.base+at)
		with, keep, null := m.replacement(c, row[start:at], touched)
		if !keep {
			w.cell(start, at, with, null)
		}
	}
	if at != len(row) {
		return errRow
	}
	w.end()
	return nil
}

// rowWriter changes cells of one row. The first that changes its length moves
// the row into the flow's output; until then cells are overwritten in place.
type rowWriter struct {
	flow  *flow
	row   []byte
	base  int // of the row in the flow's buffer
	moved bool
	frame int // place of the frame in the output
	from  int // how much of row is in the output
}

// cell replaces the value that lies from start to end of the row.
func (w *rowWriter) cell(start, end int, with []byte, null bool) {
	if !null && len(with) == end-start && len(with) > 0 && !w.moved { // NULL has no length either
		copy(w.row[start:end], with)
		return
	}
	w.move()
	out := append(w.flow.out, w.row[w.from:start-4]...)
	if null {
		out = append(out, 0xff, 0xff, 0xff, 0xff)
	} else {
		out = binary.BigEndian.AppendUint32(out, uint32(len(with)))
		out = append(out, with...)
	}
	w.flow.out = out
	w.from = end
}

// text replaces the text that lies from start to end of the row, which has no
// length of its own.
func (w *rowWriter) text(start, end int, with []byte) {
	if len(with) == end-start && !w.moved {
		copy(w.row[start:end], with)
		return
	}
	w.move()
	w.flow.out = append(append(w.flow.out, w.row[w.from:start]...), with...)
	w.from = end
}

// move begins the row's copy in the flow's output.
func (w *rowWriter) move() {
	if !w.moved {
		w.flow.commit()
		w.moved, w.frame = true, len(w.flow.out)
	}
}

func (w *rowWriter) end() {
	if !w.moved {
		w.flow.pass(len(w.row))
		return
	}
	w.flow.out = append(w.flow.out, w.row[w.from:]...)
	endFrame(w.flow.out, w.frame)
	w.flow.sent += int64(len(w.flow.out) - w.frame)
	w.flow.omit(len(w.row))
}
