package mask

// socialSecurity checks for a US social security number that begins with
// groups[i]: 3-2-4 with hyphens, or written otherwise beside a word that says
// what it is.
func (s *scanner) socialSecurity(groups []group, i int) int {
	n := 1
	if hasShape(groups[i:], "324") {
		n = 3
	} else if groups[i].len() != 9 {
		return 0
	}
	last := i + n - 1
	if !s.bounded(groups, i, last) || s.before(groups[i].start) == '_' {
		return 0
	}
	var buf [16]byte
	number := s.digitsOf(buf[:0], groups[i:last+1])
	if !issuedSSN(number) {
		return 0
	}
	h := s.hintsBefore(groups[i].start)
	plain := n == 1 || groups[i+1].sep != '-'
	if h&hintSSN == 0 && (plain || h&(hintID|hintPhone) != 0) {
		return 0
	}
	s.found(usSSN, groups[i].start, groups[last].end)
	return n
}

// before gives the byte before p, 0 at the start.
func (s *scanner) before(p int) byte {
	if p == 0 {
		return 0
	}
	return s.text[p-1]
}

// issuedSSN applies the rules of the Social Security Administration: no area
// 000, 666 or 900-999, no group 00, no serial 0000.
func issuedSSN(number []byte) bool {
	area, group, serial := string(number[:3]), string(number[3:5]), string(number[5:])
	return area != "000" && area != "666" && area[0] != '9' && group != "00" && serial != "0000"
}
