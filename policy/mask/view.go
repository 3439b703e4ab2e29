package mask

const escape = 0x1b

// sequence gives the length of the terminal control sequence that text begins
// with (ECMA-48 §5.4: CSI; §5.6 and xterm: OSC, ended by BEL or ST), 0 where
// there is none or it is not complete.
func sequence(text []byte) int {
	if len(text) < 2 || text[0] != escape {
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

// findBelowEscapes finds values that control sequences may divide: it looks
// at the text without them.
func (d *Detectors) findBelowEscapes(text []byte, c Context) []finding {
	plain := make([]byte, 0, len(text))
	places := make([]int32, 0, len(text)+1) // of each plain byte in text
	for i := 0; i < len(text); {
		if n := sequence(text[i:]); n > 0 {
			if !visible(text[i : i+n]) {
				plain, places = append(plain, '\n'), append(places, int32(i))
			}
			i += n
			continue
		}
		plain, places = append(plain, text[i]), append(places, int32(i))
		i++
	}
	s := scanner{d: d, text: plain, name: c.Name}
	s.scan()
	fs := s.findings()
	for i := range fs {
		fs[i].end = int(places[fs[i].end-1]) + 1
		fs[i].start = int(places[fs[i].start])
	}
	return fs
}
