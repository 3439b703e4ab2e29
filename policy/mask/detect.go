package mask

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Context is what is known of a text besides its bytes.
type Context struct {
	Name string // column name, JSON path
}

// Detectors looks for classes of values. It is safe for concurrent use.
type Detectors struct {
	index   *index
	formats []keyFormat
	words   *vocabulary
	rules   *Rules
	enabled []bool // by class
	any     bool   // some class is enabled
	names   []string
	methods []*Method
	scalar  bool // even where the CPU could do better; for tests
}

// NewDetectors makes detectors for the classes ("*" is all); method gives the
// mask of each class. An unknown class is an error.
func NewDetectors(classes []string, method func(class string) (*Method, error)) (*Detectors, error) {
	return newDetectors(nil, classes, method)
}

func newDetectors(r *Rules, classes []string, method func(class string) (*Method, error)) (*Detectors, error) {
	d := &Detectors{index: sharedIndex(), formats: sharedFormats(), words: sharedVocabulary(), names: classNames()}
	if r != nil {
		d.rules, d.index = r, r.index
		for i := range r.rules {
			d.names = append(d.names, r.rules[i].class)
		}
	}
	d.methods = make([]*Method, len(d.names))
	d.enabled = make([]bool, len(d.names))
	for _, name := range classes {
		if err := d.enable(name); err != nil {
			return nil, err
		}
	}
	for c, name := range d.names {
		if !d.enabled[c] {
			continue
		}
		m, err := method(name)
		if err != nil {
			return nil, fmt.Errorf("detector %s: %w", name, err)
		}
		d.methods[c] = m
	}
	return d, nil
}

func (d *Detectors) enable(name string) error {
	known := false
	for c := range d.names {
		if name == d.names[c] || name == "*" {
			d.enabled[c], d.any, known = true, true, true
		}
	}
	if !known {
		return fmt.Errorf("unknown detector class %q: use *, %s", name, strings.Join(d.names, ", "))
	}
	return nil
}

// few is how many findings one allocation has room for.
const few = 4

// Find appends what text holds to dst, in order and without overlaps.
func (d *Detectors) Find(dst []Finding, text []byte, c Context) []Finding {
	for _, f := range d.find(text, c) {
		dst = append(dst, Finding{Class: d.names[f.class], Start: f.start, End: f.end})
	}
	return dst
}

func (d *Detectors) find(text []byte, c Context) []finding {
	if !d.any || len(text) == 0 {
		return nil
	}
	if bytes.IndexByte(text, escape) >= 0 {
		return d.findBelowEscapes(text, c)
	}
	s := scanner{d: d, text: text, name: c.Name}
	s.run()
	return resolve(s.finds)
}

// resolve sorts findings and joins those that overlap, so that all they cover
// is masked: as what the longer one is or, of two on the same bytes, as the
// class that comes first.
func resolve(fs []finding) []finding {
	if len(fs) < 2 {
		return fs
	}
	slices.SortStableFunc(fs, func(a, b finding) int { return a.start - b.start })
	kept := fs[:1]
	for _, f := range fs[1:] {
		last := &kept[len(kept)-1]
		if f.start >= last.end {
			kept = append(kept, f)
			continue
		}
		size, sizeOfLast := f.end-f.start, last.end-last.start
		if size > sizeOfLast || size == sizeOfLast && f.class < last.class {
			last.class = f.class
		}
		last.end = max(last.end, f.end)
	}
	return kept
}

// MaskText appends text with every finding replaced to dst and calls found
// once for each. Where nothing is found it appends nothing and reports false.
// A method that has no replacement leaves nothing in the place of the value.
func (d *Detectors) MaskText(dst, text []byte, c Context, found func(class string)) ([]byte, bool) {
	fs := d.find(text, c)
	if len(fs) == 0 {
		return dst, false
	}
	done := 0
	for _, f := range fs {
		dst = append(dst, text[done:f.start]...)
		dst = d.replace(dst, text, f)
		done = f.end
		if found != nil {
			found(d.names[f.class])
		}
	}
	return append(dst, text[done:]...), true
}

// Candidate is a stretch of bytes that a closer look is due to.
type Candidate struct{ Start, End int32 }

// Candidates appends stretches of run to dst. A part of run in which no
// candidate begins or ends holds nothing that MaskText would find, whatever
// its context: so one pass over many values, with anything in between, tells
// which of them to look at. It allocates nothing where dst has room.
func (d *Detectors) Candidates(dst []Candidate, run []byte) []Candidate {
	if !d.any || len(run) == 0 {
		return dst
	}
	s := scanner{d: d, text: run, onlySpots: true, spots: dst}
	s.run()
	s.escapes()
	return s.spots
}

func (s *scanner) spot(start, end int) {
	s.spots = append(s.spots, Candidate{Start: int32(start), End: int32(end)})
}

// escapes adds escape sequences: what they divide was not seen as one.
func (s *scanner) escapes() {
	for at := 0; ; {
		n := bytes.IndexByte(s.text[at:], escape)
		if n < 0 {
			return
		}
		at += n
		if sequence(s.text[at:]) > 0 {
			s.spot(at, at+1)
		}
		at++
	}
}
