package mask

// Digits of a telephone number, country code included (ITU-T E.164 §6.1), and
// of one within a country, trunk prefix included.
const (
	maxInternational = 15
	maxNational      = 13
)

// phoneNumber checks for a phone number that begins with groups[i] and gives
// how many groups it has. International numbers and the two unmistakable North
// American spellings stand for themselves; others need a word that says phone.
func (s *scanner) phoneNumber(groups []group, i int) int {
	if s.before(groups[i].start) == '+' || s.text[groups[i].start] == '0' && groups[i].len() > 3 {
		if used := s.international(groups, i); used > 0 {
			return used
		}
	}
	if groups[i].len() > maxNational || !s.startsPhone(groups, i) {
		return 0
	}
	if used := s.northAmerican(groups, i); used > 0 {
		return used
	}
	return s.national(groups, i)
}

// startsPhone reports whether a number may begin with groups[i].
func (s *scanner) startsPhone(groups []group, i int) bool {
	p := groups[i].start
	if i > 0 && glues(groups[i].sep) {
		return false
	}
	if c := s.before(p); c == '+' || c == '(' {
		p--
	}
	switch s.before(p) {
	case '_', '#':
		return false
	case '-': // CVE-2024-43866
		return p < 2 || !isLetter(s.text[p-2])
	}
	return s.startsClean(p)
}

// international checks for "+", a country code and as many digits as numbers
// of that country have; "00" stands for "+" beside a word that says phone.
func (s *scanner) international(groups []group, i int) int {
	start, skip := groups[i].start, 0
	if s.before(start) == '+' {
		if start--; s.before(start) == '(' {
			start--
		}
		if c := s.before(start); isWordByte(c) && !s.escaped(start) || c == '+' {
			return 0
		}
	} else {
		if string(s.text[start:start+2]) != "00" || !s.startsPhone(groups, i) || s.hintsBefore(start)&hintPhone == 0 {
			return 0
		}
		skip = 2
	}
	var buf [maxInternational + 4]byte
	n := len(groups[i:])
	for n > 1 && groups[i+n-1].start-groups[i].start > 2*maxInternational {
		n--
	}
	code, shortest, longest := countryCode(s.leading(buf[:0], groups[i:i+n])[skip:])
	if code == 0 {
		return 0
	}
	return s.extent(groups, i, start, -code-skip, shortest, longest)
}

// leading gives the first digits of the groups, enough for a country code.
func (s *scanner) leading(buf []byte, groups []group) []byte {
	for k := range groups {
		for _, c := range s.text[groups[k].start:groups[k].end] {
			if buf = append(buf, c); len(buf) == cap(buf) {
				return buf
			}
		}
	}
	return buf
}

// extent takes groups from i on until a national number is complete, and keeps
// it as found. count is how many national digits there are before: minus the
// digits that do not count.
func (s *scanner) extent(groups []group, i, start, count, shortest, longest int) int {
	n := 0
	for k := i; k < len(groups); k++ {
		add := groups[k].len()
		if add == 1 && s.text[groups[k].start] == '0' && s.before(groups[k].start) == '(' {
			add = 0 // the trunk prefix, as in +44 (0)20: not dialled from abroad
		}
		if k > i && (count+add > longest || count >= shortest && !s.continues(groups, i, k)) {
			break
		}
		count += add
		n++
	}
	if count < shortest || count > longest || i+n < len(groups) && glues(groups[i+n].sep) {
		return 0
	}
	return s.ring(groups, i, n, start)
}

// continues reports whether groups[k] goes on with a number that could end
// before it.
func (s *scanner) continues(groups []group, i, k int) bool {
	return k > i+1 && groups[k].len() > 1 && (groups[k].sep == groups[k-1].sep || glues(groups[k].sep))
}

// ring keeps a phone number of n groups that begins at start.
func (s *scanner) ring(groups []group, i, n, start int) int {
	end := s.extension(groups[i+n-1].end)
	if !s.endsClean(end) {
		return 0
	}
	s.found(phone, start, end)
	return n
}

// extension walks over what may follow a number: x123.
func (s *scanner) extension(end int) int {
	p := end
	if p < len(s.text) && s.text[p] == ' ' {
		p++
	}
	if p >= len(s.text) || s.text[p]|0x20 != 'x' {
		return end
	}
	p++
	n := run(s.text[p:], setDigit, 6)
	if n == 0 || n > 5 {
		return end
	}
	return p + n
}

// northAmerican checks for area code, exchange and line with an optional 1
// before (North American Numbering Plan).
func (s *scanner) northAmerican(groups []group, i int) int {
	if len(groups)-i < 3 {
		return 0
	}
	k := i
	if s.text[groups[i].end-1] == '1' && s.isOne(s.text[groups[i].start:groups[i].end]) {
		k++
	}
	if !hasLengths(groups[k:], "334") || !s.exchanges(groups[k], groups[k+1]) {
		return 0
	}
	start := groups[i].start
	area, line := groups[k+1].sep, groups[k+2].sep
	if s.before(groups[k].start) == '(' && area != ')' {
		return 0
	}
	if k == i && area == ')' {
		if s.before(start) != '(' {
			return 0
		}
		start--
	}
	spelled := area == '-' && line == '-' || area == ')' && (line == '-' || line == ' ' || line == '.')
	if said := s.saysPhone(groups, i); said == 0 && (!spelled || s.hintsBefore(start)&hintID != 0) {
		return 0
	}
	n := k - i + 3
	if i+n < len(groups) && glues(groups[i+n].sep) {
		return 0
	}
	return s.ring(groups, i, n, start)
}

// isOne reports whether digits are the country code of North America.
func (s *scanner) isOne(digits []byte) bool { return string(digits) == "1" || string(digits) == "001" }

func hasLengths(groups []group, lengths string) bool {
	if len(groups) < len(lengths) {
		return false
	}
	for k := range len(lengths) {
		if groups[k].len() != int(lengths[k]-'0') {
			return false
		}
	}
	return true
}

// exchanges reports whether an area code and an exchange exist: both begin
// with 2-9, neither is a service code such as 911.
func (s *scanner) exchanges(area, exchange group) bool {
	a, e := s.text[area.start:area.end], s.text[exchange.start:exchange.end]
	return a[0] >= '2' && e[0] >= '2' && !(a[1] == '1' && a[2] == '1') && !(e[1] == '1' && e[2] == '1')
}

// national checks for seven to thirteen digits beside a word that says phone.
func (s *scanner) national(groups []group, i int) int {
	start := groups[i].start
	total, n := 0, 0
	for k := i; k < len(groups) && n < 6; k++ {
		if total+groups[k].len() > maxNational || k > i && groups[k].sep == '+' {
			break
		}
		total += groups[k].len()
		n++
	}
	if total < minNumber || n == 1 && total > 11 || s.isDate(groups[i:i+n]) || n == 3 && hasLengths(groups[i:], "324") ||
		i+n < len(groups) && glues(groups[i+n].sep) {
		return 0
	}
	end := groups[i+n-1].end
	if !s.endsClean(s.extension(end)) || s.isClock(start) || !s.isSaid(groups, i, n, total) && !s.hintAfter(end) {
		return 0
	}
	if s.before(start) == '(' {
		start--
	}
	return s.ring(groups, i, n, start)
}

// isSaid reports whether words say that n groups from i on are a phone number.
// Where they only speak of talking it must be written like one.
func (s *scanner) isSaid(groups []group, i, n, total int) bool {
	switch h := s.saysPhone(groups, i); {
	case h&hintPhone != 0:
		return true
	case h&hintTalk != 0:
		return s.looksDialled(groups[i:i+n], total)
	}
	return false
}

// looksDialled reports whether groups have the form of a phone number: three
// and more, three and four digits, or as many as one has in North America or
// with a trunk prefix.
func (s *scanner) looksDialled(groups []group, total int) bool {
	if len(groups) > 2 {
		return total >= 9 && total <= 11
	}
	first := s.text[groups[0].start]
	if len(groups) == 1 {
		return total == 10 && first >= '2' || (total == 10 || total == 11) && first == '0'
	}
	return hasLengths(groups, "34") || hasLengths(groups, "44") && first >= '6' || first == '0' && total >= 9
}

// saysPhone gives hintPhone and hintTalk as words before groups[i] say so, and
// no nearer word says that it is some other number. Of what stands before the
// later groups of a number only that before the first can say it.
func (s *scanner) saysPhone(groups []group, i int) hints {
	if groups[i].start < s.unsaidEnd {
		return 0
	}
	h := s.hintsBefore(groups[i].start)
	if h&hintID != 0 {
		h = 0
	}
	if h &= hintPhone | hintTalk; h == 0 {
		s.unsaidEnd = groups[len(groups)-1].end
	}
	return h
}

// isDate reports whether the groups begin like 2024-05-31 or are 20240531.
func (s *scanner) isDate(groups []group) bool {
	g := s.text[groups[0].start:groups[0].end]
	if string(g[:2]) != "19" && string(g[:2]) != "20" {
		return false
	}
	return hasLengths(groups, "422") || len(groups) == 1 && (len(g) == 8 || len(g) == 14)
}

// isClock reports whether hours and minutes stand before p, as in 10:22:33.123456.
func (s *scanner) isClock(p int) bool {
	return p > 1 && s.text[p-1] == ':' && isDigit(s.text[p-2])
}

// hintAfter reports whether the word after a number says phone, as in
// "… fax" and "…-Office".
func (s *scanner) hintAfter(end int) bool {
	if end+1 >= len(s.text) || s.text[end] != ' ' && s.text[end] != '-' {
		return false
	}
	var buf [8]byte
	n := 0
	for _, c := range s.text[end+1:] {
		if !isLetter(c) || n == len(buf) {
			break
		}
		buf[n] = lower(c)
		n++
	}
	switch string(buf[:n]) {
	case "office", "fax", "mobile", "cell", "desk", "phone":
		return true
	}
	return false
}

// countryCode gives how many of the digits are a country code and how many
// digits numbers of that country have (ITU-T E.164 annex D; lengths after the
// national numbering plans). 0 means that there is no such code.
func countryCode(d []byte) (code, shortest, longest int) {
	if len(d) < minNumber {
		return 0, 0, 0
	}
	switch d[0] {
	case '0':
		return 0, 0, 0
	case '1':
		if d[1] < '2' {
			return 0, 0, 0
		}
		return 1, 10, 10
	case '7':
		return 1, 10, 10
	}
	switch two := int(d[0]-'0')*10 + int(d[1]-'0'); two {
	case 28, 83, 89:
		return 0, 0, 0
	case 21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99:
		shortest, longest = lengthsOfThree(two*10 + int(d[2]-'0'))
		return 3, shortest, longest
	default:
		shortest, longest = lengthsOfTwo(two)
		return 2, shortest, longest
	}
}

func lengthsOfTwo(code int) (shortest, longest int) {
	switch code {
	case 27, 31, 33, 34, 40, 41, 48, 61, 93, 94:
		return 9, 9
	case 30, 58, 90, 91, 98:
		return 10, 10
	case 45, 47, 53, 65:
		return 8, 8
	case 44, 84, 92:
		return 9, 10
	case 32, 36, 51, 56, 66:
		return 8, 9
	case 54, 55, 52, 86:
		return 10, 11
	case 81:
		return 9, 10
	case 82:
		return 8, 11
	case 39, 49, 43, 62:
		return 6, 12
	default: // 20 46 57 60 63 64 95
		return 7, 10
	}
}

func lengthsOfThree(code int) (shortest, longest int) {
	switch code {
	case 212, 351, 375, 380, 420, 421, 590, 594, 596, 963, 966, 967, 970, 992, 994, 995, 996, 998:
		return 9, 9
	case 880, 964, 977:
		return 10, 10
	case 213, 353, 355, 359, 381, 385, 593, 595, 855, 886, 962, 971, 972, 376, 377:
		return 7, 9
	case 358, 352:
		return 5, 11
	default:
		return 6, 10
	}
}
