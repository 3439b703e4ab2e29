package mask

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// dfa finds where matches of several patterns may end, all in one walk. It
// errs on the side of too many: assertions such as \b hold everywhere, and
// characters beyond ASCII are alike. It is built whole, so that sessions can
// share it.
type dfa struct {
	classes [256]uint8
	width   int      // number of byte classes
	next    []uint16 // state*width+class → state
	accepts [][]int  // state → patterns that may end
	ending  []bool   // state → whether there are any
	failed  bool     // too many states: every position counts
}

const (
	maxStates = 4096
	skipClass = 0 // continuation bytes of UTF-8: no step
	highClass = 1 // first bytes of characters beyond ASCII
)

// newDFA builds the automaton of patterns that may begin anywhere.
func newDFA(progs []*syntax.Prog) *dfa {
	b := dfaBuilder{d: &dfa{}, progs: progs, numbers: map[string]uint16{}}
	b.split()
	b.state(b.closure(nil))
	for n := 0; n < len(b.sets) && !b.d.failed; n++ {
		for c := range b.d.width {
			b.d.next = append(b.d.next, b.step(n, c))
		}
	}
	return b.d
}

// loosen lets what repeats more than twice repeat for ever: counting makes
// many states, and each match is looked at again.
func loosen(re *syntax.Regexp) *syntax.Regexp {
	if re.Op == syntax.OpRepeat {
		re.Min = min(re.Min, 2)
		if re.Max > 2 {
			re.Max = -1
		}
	}
	for _, sub := range re.Sub {
		loosen(sub)
	}
	return re
}

// place is an instruction of one of the programs.
type place struct {
	prog int
	pc   uint32
}

type dfaBuilder struct {
	d       *dfa
	progs   []*syntax.Prog
	samples []rune // one character of each class
	sets    [][]place
	numbers map[string]uint16
}

// split sorts ASCII into classes that no pattern tells apart.
func (b *dfaBuilder) split() {
	seen := map[string]uint8{}
	b.samples = []rune{0, utf8.MaxRune}
	for c := range 256 {
		switch {
		case c >= 0xc0:
			b.d.classes[c] = highClass
			continue
		case c >= 0x80:
			b.d.classes[c] = skipClass
			continue
		}
		var key []byte
		for _, p := range b.progs {
			for i := range p.Inst {
				if isRune(&p.Inst[i]) {
					key = append(key, byteOf(p.Inst[i].MatchRune(rune(c))))
				}
			}
		}
		class, ok := seen[string(key)]
		if !ok {
			class = uint8(len(b.samples))
			seen[string(key)] = class
			b.samples = append(b.samples, rune(c))
		}
		b.d.classes[c] = class
	}
	b.d.width = len(b.samples)
}

func isRune(i *syntax.Inst) bool {
	switch i.Op {
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return true
	}
	return false
}

func byteOf(ok bool) byte {
	if ok {
		return 1
	}
	return 0
}

// matchesHigh reports whether the instruction takes any character beyond ASCII.
func matchesHigh(i *syntax.Inst) bool {
	if i.Op == syntax.InstRuneAny || i.Op == syntax.InstRuneAnyNotNL {
		return true
	}
	return slices.ContainsFunc(i.Rune, func(r rune) bool { return r >= utf8.RuneSelf }) ||
		syntax.Flags(i.Arg)&syntax.FoldCase != 0 // k and s fold beyond ASCII
}

// closure adds the starts of all patterns and follows what needs no character.
func (b *dfaBuilder) closure(set []place) []place {
	for n, p := range b.progs {
		set = append(set, place{n, uint32(p.Start)})
	}
	seen := map[place]bool{}
	var out []place
	for len(set) > 0 {
		at := set[len(set)-1]
		set = set[:len(set)-1]
		if seen[at] {
			continue
		}
		seen[at] = true
		inst := &b.progs[at.prog].Inst[at.pc]
		switch inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			set = append(set, place{at.prog, inst.Out}, place{at.prog, inst.Arg})
		case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
			set = append(set, place{at.prog, inst.Out})
		case syntax.InstFail:
		default:
			out = append(out, at)
		}
	}
	slices.SortFunc(out, func(a, b place) int {
		if a.prog != b.prog {
			return a.prog - b.prog
		}
		return int(a.pc) - int(b.pc)
	})
	return out
}

// state gives the number of a set of places, a new one where it is new.
func (b *dfaBuilder) state(set []place) uint16 {
	var key []byte
	for _, p := range set {
		key = binary.AppendUvarint(binary.AppendUvarint(key, uint64(p.prog)), uint64(p.pc))
	}
	if n, ok := b.numbers[string(key)]; ok {
		return n
	}
	if len(b.sets) == maxStates {
		b.d.failed = true
		return 0
	}
	n := uint16(len(b.sets))
	b.numbers[string(key)] = n
	b.sets = append(b.sets, set)
	var accepts []int
	for _, p := range set {
		if b.progs[p.prog].Inst[p.pc].Op == syntax.InstMatch {
			accepts = append(accepts, p.prog)
		}
	}
	b.d.accepts = append(b.d.accepts, slices.Compact(accepts))
	b.d.ending = append(b.d.ending, len(accepts) > 0)
	return n
}

// step gives the state after a character of a class.
func (b *dfaBuilder) step(state, class int) uint16 {
	if class == skipClass {
		return uint16(state)
	}
	var set []place
	for _, p := range b.sets[state] {
		inst := &b.progs[p.prog].Inst[p.pc]
		if !isRune(inst) {
			continue
		}
		if class == highClass && matchesHigh(inst) || class != highClass && inst.MatchRune(b.samples[class]) {
			set = append(set, place{p.prog, inst.Out})
		}
	}
	return b.state(b.closure(set))
}

// ends calls end for each place where a match of a pattern may end.
func (d *dfa) ends(text []byte, end func(pattern, at int)) {
	state := uint16(0)
	for i, c := range text {
		state = d.next[int(state)*d.width+int(d.classes[c])]
		if d.ending[state] {
			for _, p := range d.accepts[state] {
				end(p, i)
			}
		}
	}
}
