package mask

// group is one run of digits of a number that is written in groups.
type group struct {
	start, end int
	sep        byte // what separates it from the group before; 0 for the first
}

func (g *group) len() int { return g.end - g.start }

// maxGroups bounds how much of a table of figures is looked at as one number;
// the rest is looked at next.
const maxGroups = 16

// minNumber is the fewest digits of any number that is looked for.
const minNumber = 7

// numbers looks at the digits and separators that begin at p: for cards, social
// security numbers and phone numbers.
func (s *scanner) numbers(p int) {
	if p < s.numbersEnd || s.closed(p) {
		return
	}
	table := &s.d.index.tables.whole
	for p < len(s.text) {
		c := table[s.text[p]]
		if c&(wholeDigit|wholeSep) == 0 {
			break
		}
		if c&wholeDigit == 0 {
			p++
			continue
		}
		p = s.number(p)
	}
	s.numbersEnd = p
}

// number looks at the number that begins at p and gives where it ends.
func (s *scanner) number(p int) int {
	end := p + 1
	for end < len(s.text) && isDigit(s.text[end]) {
		end++
	}
	if end == len(s.text) || s.d.index.tables.whole[s.text[end]]&wholeSep == 0 { // nearly always
		if end-p >= minNumber {
			one := [1]group{{start: p, end: end}}
			s.grouped(one[:], end-p)
		}
		return end
	}
	if n := s.dateAt(p) + s.addressAt(p); n > 0 {
		return p + n
	}
	var groups [maxGroups]group
	n, digits := s.split(groups[:], p)
	if digits >= minNumber {
		s.grouped(groups[:n], digits)
	}
	return groups[n-1].end
}

// dateAt gives the length of 2024-05-31 at p where nothing is joined to it, 0
// where there is none: dates are the most frequent numbers by far.
func (s *scanner) dateAt(p int) int {
	const size = len("2024-05-31")
	if len(s.text)-p < size {
		return 0
	}
	d := s.text[p : p+size]
	if d[4] != '-' || d[7] != '-' || d[0] != '1' && d[0] != '2' || d[5] > '1' || d[8] > '3' ||
		!isDigit(d[1]) || !isDigit(d[2]) || !isDigit(d[3]) || !isDigit(d[5]) || !isDigit(d[6]) || !isDigit(d[8]) || !isDigit(d[9]) {
		return 0
	}
	if p+size < len(s.text) {
		if c := s.text[p+size]; glues(c) || isDigit(c) {
			return 0
		}
	}
	return size
}

// addressAt gives the length of an IPv4 address at p, or of a network such as
// 10.0.0.0/24; 0 where there is none.
func (s *scanner) addressAt(p int) int {
	end := p
	for part := range 4 {
		n := 0
		for n < 4 && end+n < len(s.text) && isDigit(s.text[end+n]) {
			n++
		}
		if n == 0 || n > 3 || n == 3 && s.text[end] > '2' {
			return 0
		}
		if end += n; part == 3 {
			break
		}
		if end == len(s.text) || s.text[end] != '.' {
			return 0
		}
		end++
	}
	if n := s.networkSize(end); n > 0 {
		end += n
	}
	if end < len(s.text) && (glues(s.text[end]) && end+1 < len(s.text) && isDigit(s.text[end+1]) || isDigit(s.text[end])) {
		return 0
	}
	return end - p
}

// networkSize gives the length of "/24" at p, 0 where there is none.
func (s *scanner) networkSize(p int) int {
	if p >= len(s.text) || s.text[p] != '/' {
		return 0
	}
	n := run(s.text[p+1:], setDigit, 3)
	if n == 0 || n > 2 {
		return 0
	}
	return 1 + n
}

// split parses groups of digits from p on.
func (s *scanner) split(groups []group, p int) (n, digits int) {
	var sep byte
	for {
		end := p
		for end < len(s.text) && isDigit(s.text[end]) {
			end++
		}
		groups[n] = group{start: p, end: end, sep: sep}
		digits += end - p
		n++
		if n == len(groups) {
			return n, digits
		}
		if end == len(s.text) || s.d.index.tables.whole[s.text[end]]&wholeSep == 0 {
			return n, digits
		}
		size := 0
		if sep, size = separator(s.text[end:]); size == 0 {
			return n, digits
		}
		p = end + size
	}
}

// maxSeparator is the longest separator between the digits of one number.
const maxSeparator = 4

// separator reads what stands between two groups and gives its kind: the
// printing character if there is one, else a space. Size 0 means that no digit
// follows.
func separator(text []byte) (kind byte, size int) {
	if len(text) > 1 && isDigit(text[1]) && text[0] != '%' { // nearly always
		return separatorAt(text)
	}
	kind = ' '
	for size < maxSeparator && size < len(text) {
		c, n := separatorAt(text[size:])
		if n == 0 {
			break
		}
		if c != ' ' {
			if kind != ' ' && !(kind == ')' && c == '-') && c != '(' {
				return 0, 0
			}
			kind = c
		}
		size += n
	}
	if size == 0 || size >= len(text) || size > maxSeparator || !isDigit(text[size]) {
		return 0, 0
	}
	return kind, size
}

// separatorAt reads one separating character: plain, in UTF-8 or in percent
// encoding (RFC 3986 §2.1).
func separatorAt(text []byte) (kind byte, size int) {
	switch c := text[0]; c {
	case ' ', '-', '.', '(', ')', '/', '+':
		return c, 1
	case 0xc2:
		if len(text) > 1 && text[1] == 0xa0 { // no-break space
			return ' ', 2
		}
	case 0xe2:
		if len(text) > 2 && text[1] == 0x80 {
			switch text[2] {
			case 0x90, 0x91, 0x93: // hyphen, non-breaking hyphen, en dash
				return '-', 3
			case 0xaf: // narrow no-break space
				return ' ', 3
			}
		}
	case '%':
		if len(text) > 2 && text[1] == '2' {
			switch text[2] {
			case '0', 'B', 'b':
				return ' ', 3
			case 'D', 'd':
				return '-', 3
			}
		}
	}
	return 0, 0
}

// grouped looks at the groups of one number, or of several side by side, that
// have so many digits.
func (s *scanner) grouped(groups []group, digits int) {
	if s.onlySpots {
		s.spot(groups[0].start, groups[len(groups)-1].end)
		return
	}
	for i := 0; i < len(groups) && digits >= minNumber; {
		used := max(1, s.numberAt(groups, i))
		for ; used > 0; used-- {
			digits -= groups[i].len()
			i++
		}
	}
}

// numberAt looks at the number that begins with groups[i] and gives how many
// groups it has, 0 where it is none that is looked for.
func (s *scanner) numberAt(groups []group, i int) int {
	used := 0
	switch n := groups[i].len(); {
	case n == 4 || n >= minCard:
		if used = s.card(groups, i); used == 0 && n >= minCard {
			used = s.accessToken(groups, i)
		}
	case n == 3 || n == 9:
		used = s.socialSecurity(groups, i)
	}
	if used == 0 {
		used = s.phoneNumber(groups, i)
	}
	return used
}

// accessToken checks for an app number, a bar and a token, as Facebook has them.
func (s *scanner) accessToken(groups []group, i int) int {
	end := groups[i].end
	if n := groups[i].len(); n != 15 && n != 16 || end == len(s.text) || s.text[end] != '|' || !s.startsClean(groups[i].start) {
		return 0
	}
	n := run(s.text[end+1:], setWord, 41)
	if n < 27 || n > 40 || !random(s.text[end+1:end+1+n]) {
		return 0
	}
	s.found(apiKey, groups[i].start, end+1+n)
	return 1
}

// bounded reports whether the groups from i to last stand for themselves and
// are not cut out of a longer number, code or word.
func (s *scanner) bounded(groups []group, i, last int) bool {
	if i > 0 && glues(groups[i].sep) || last+1 < len(groups) && glues(groups[last+1].sep) {
		return false
	}
	return s.startsClean(groups[i].start) && s.endsClean(groups[last].end)
}

// glues reports whether a separator binds groups so closely that a part of
// them means nothing.
func glues(sep byte) bool { return sep == '-' || sep == '.' || sep == '/' }

func (s *scanner) startsClean(p int) bool {
	if p == 0 {
		return true
	}
	c := s.text[p-1]
	if isLetter(c) {
		return s.escaped(p)
	}
	if c == '.' && p > 1 && isWordByte(s.text[p-2]) {
		return false
	}
	return !isDigit(c)
}

func (s *scanner) endsClean(p int) bool {
	if p == len(s.text) {
		return true
	}
	if c := s.text[p]; c == '.' {
		return p+1 == len(s.text) || !isWordByte(s.text[p+1])
	} else {
		return !isLetter(c) && !isDigit(c) && c != '_'
	}
}

// digitsOf collects the digits of some groups.
func (s *scanner) digitsOf(buf []byte, groups []group) []byte {
	for i := range groups {
		buf = append(buf, s.text[groups[i].start:groups[i].end]...)
	}
	return buf
}
