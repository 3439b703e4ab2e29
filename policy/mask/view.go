package mask

import (
	"bytes"
	"sync"
)

const escape = 0x1b

// sequence gives the length of the terminal control sequence that text begins
// with (ECMA-48 §5.4: CSI; §5.6 and xterm: OSC, ended by BEL or ST), 0 where
// there is none or it is not complete.
func sequence(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '[':
		for i := 2; i < len(text); i++ {
			switch c := text[i]; {
			case c >= 0x40 && c <= 0x7e:
				return i + 1
			case c < 0x20 || c > 0x7e:
				return 0
			}
		}
	case ']':
		for i := 2; i < len(text) && i < maxOSC; i++ {
			switch text[i] {
			case 0x07:
				return i + 1
			case escape:
				if i+1 < len(text) && text[i+1] == '\\' {
					return i + 2
				}
				return 0
			}
		}
	case '(', ')':
		if len(text) > 2 {
			return 3
		}
	case '=', '>', '7', '8', 'M':
		return 2
	}
	return 0
}

const maxOSC = 4096 // bytes

// visible reports whether a control sequence leaves what is printed after it
// next to what was printed before: colours and erasing do, moving does not.
func visible(sequence []byte) bool {
	if sequence[1] == ']' || sequence[1] == '(' || sequence[1] == ')' || sequence[1] == '=' || sequence[1] == '>' {
		return true
	}
	switch sequence[len(sequence)-1] {
	case 'm', 'K', 'J', 'h', 'l', 'P', 'X', 'n', 'c', 'q', 't', 'u':
		return sequence[1] == '['
	}
	return false
}

// view is a text without its control sequences, and where its parts stood.
type view struct {
	plain []byte
	parts []part
}

// part says that the plain bytes from at on stood at raw.
type part struct{ at, raw int }

// strip fills the view. A sequence that moves the cursor leaves a line break,
// so that what it parts is not read as one.
func (v *view) strip(text []byte) {
	v.plain, v.parts = v.plain[:0], v.parts[:0]
	for at := 0; at < len(text); {
		n := bytes.IndexByte(text[at:], escape)
		if n < 0 {
			n = len(text) - at
		}
		size := sequence(text[at+n:])
		if size == 0 && at+n < len(text) {
			n++ // a lone escape is text
		}
		v.parts = append(v.parts, part{at: len(v.plain), raw: at})
		v.plain = append(v.plain, text[at:at+n]...)
		at += n
		if size > 0 {
			if !visible(text[at : at+size]) {
				v.parts = append(v.parts, part{at: len(v.plain), raw: at})
				v.plain = append(v.plain, '\n')
			}
			at += size
		}
	}
}

// raw gives where plain byte i stood.
func (v *view) raw(i int) int {
	low, high := 0, len(v.parts) // the part wanted is the last that begins at i or before
	for high-low > 1 {
		if middle := int(uint(low+high) >> 1); v.parts[middle].at <= i {
			low = middle
		} else {
			high = middle
		}
	}
	p := v.parts[low]
	return p.raw + i - p.at
}

// rawOrEnd is raw for a plain byte that may lie just behind the last.
func (v *view) rawOrEnd(i, end int) int {
	if i >= len(v.plain) {
		return end
	}
	return v.raw(i)
}

// views keeps the memory of views for reuse.
var views = sync.Pool{New: func() any { return new(view) }}

// findBelowEscapes finds values that control sequences may divide: it looks
// at the text without them.
func (d *Detectors) findBelowEscapes(text []byte, c Context) []finding {
	v := views.Get().(*view)
	defer views.Put(v)
	v.strip(text)
	return d.findIn(v, c)
}

// findIn finds values in a view; the findings tell where they stood.
func (d *Detectors) findIn(v *view, c Context) []finding {
	if !d.any || len(v.plain) == 0 {
		return nil
	}
	s := scanner{d: d, text: v.plain, name: c.Name}
	s.run()
	fs := resolve(s.finds)
	for i := range fs {
		fs[i].end = v.raw(fs[i].end-1) + 1
		fs[i].start = v.raw(fs[i].start)
	}
	return fs
}

// replace appends what stands for a finding in text: its method sees the value
// without control sequences.
func (d *Detectors) replace(dst, text []byte, f finding) []byte {
	value := text[f.start:f.end]
	if bytes.IndexByte(value, escape) >= 0 {
		var v view
		v.strip(value)
		value = v.plain
	}
	dst, _ = d.methods[f.class].Apply(dst, value, Text, false)
	return dst
}
