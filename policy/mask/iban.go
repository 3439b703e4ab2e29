package mask

// account checks for an IBAN (ISO 13616-1) whose country code stands at p: in
// one piece or in groups of four, all capitals or all small.
func (s *scanner) account(p int) {
	if s.closed(p) {
		return
	}
	size := ibanLength(lower(s.text[p]), lower(s.text[p+1]))
	if size == 0 {
		return
	}
	if s.onlySpots {
		s.spot(p, p+4)
		return
	}
	if c := s.before(p); isWordByte(c) && c < 0x80 && !s.escaped(p) {
		return
	}
	end := s.ibanEnd(p, size)
	if end == 0 || end < len(s.text) && (isWordByte(s.text[end]) && s.text[end] < 0x80) {
		return
	}
	s.found(iban, p, end)
}

// ibanEnd reads size letters and digits and checks them (ISO/IEC 7064,
// MOD 97-10: the first four characters last, letters as 10 to 35).
func (s *scanner) ibanEnd(p, size int) int {
	small := s.text[p] >= 'a'
	head, rest, n := 0, 0, 0
	for n < size {
		if n > 0 && n%4 == 0 && p < len(s.text) && !isWordByte(s.text[p]) || n > 0 && n%4 == 0 && p+1 < len(s.text) && s.text[p] == 0xc2 {
			kind, width := separatorAt(s.text[p:])
			if width == 0 || kind != ' ' && kind != '-' {
				return 0
			}
			p += width
		}
		if p >= len(s.text) {
			return 0
		}
		v, shift, ok := ibanDigit(s.text[p], small)
		if !ok {
			return 0
		}
		if n < 4 {
			head = (head*shift + v) % 97
		} else {
			rest = (rest*shift + v) % 97
		}
		n, p = n+1, p+1
	}
	// Both letters of the country and both check digits: six digits more.
	if (rest*1_000_000+head)%97 != 1 {
		return 0
	}
	return p
}

func ibanDigit(c byte, small bool) (value, shift int, ok bool) {
	switch {
	case isDigit(c):
		return int(c - '0'), 10, true
	case !small && c-'A' < 26:
		return int(c-'A') + 10, 100, true
	case small && c-'a' < 26:
		return int(c-'a') + 10, 100, true
	}
	return 0, 0, false
}

// ibanLength gives the length of an IBAN by its country, 0 for no such country
// (SWIFT IBAN registry).
func ibanLength(a, b byte) int {
	switch string([]byte{a, b}) {
	case "no":
		return 15
	case "be":
		return 16
	case "dk", "fo", "fi", "gl", "nl", "sd", "fk":
		return 18
	case "mk", "si":
		return 19
	case "at", "ba", "ee", "kz", "lt", "lu", "xk", "mn":
		return 20
	case "hr", "lv", "li", "ch":
		return 21
	case "bg", "bh", "cr", "ge", "de", "ie", "me", "rs", "gb", "va":
		return 22
	case "gi", "il", "iq", "tl", "ae", "om", "so":
		return 23
	case "ad", "cz", "md", "pk", "ro", "sa", "sk", "es", "se", "tn", "vg":
		return 24
	case "pt", "st", "ly":
		return 25
	case "is", "tr":
		return 26
	case "fr", "gr", "it", "mr", "mc", "sm", "bi", "dj":
		return 27
	case "al", "az", "by", "cy", "do", "gt", "hu", "lb", "pl", "sv", "ni":
		return 28
	case "br", "eg", "ps", "qa", "ua":
		return 29
	case "jo", "kw", "mu", "ye":
		return 30
	case "mt", "sc":
		return 31
	case "lc":
		return 32
	case "ru":
		return 33
	}
	return 0
}
