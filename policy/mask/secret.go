package mask

import "bytes"

const maxName = 64 // bytes of a name that are read

// secretName looks at the name that text[p:q] is part of and, where it
// announces a secret, at the value after it.
func (s *scanner) secretName(p, q int) {
	start, end := p, q
	for start > 0 && p-start < maxName && isNameByte(s.text[start-1]) {
		start--
	}
	for end < len(s.text) && end-q < maxName && isNameByte(s.text[end]) {
		end++
	}
	if end <= s.namesEnd || p < s.secretEnd {
		return
	}
	s.namesEnd = end
	if s.isVerdict(start, end) {
		return
	}
	v, ok := s.assigned(start, end)
	if !ok || v.bare && (!v.speaksForItself(s.text) || s.isVerb(start, end, &v)) {
		return
	}
	kind := kindOfName(s.text[start:end])
	if kind == nameOther || !v.plausible(s.text, kind) {
		return
	}
	s.secretEnd = v.end // what a name within it is given is a part of it
	s.found(genericSecret, v.start, v.end)
}

// isVerdict reports whether the name at [start,end) is what test runners begin
// a line with: "PASS: …", "--- PASS: …".
func (s *scanner) isVerdict(start, end int) bool {
	if string(s.text[start:end]) != "PASS" && string(s.text[start:end]) != "Pass" || end == len(s.text) || s.text[end] != ':' {
		return false
	}
	for start > 0 && (s.text[start-1] == ' ' || s.text[start-1] == '-') {
		start--
	}
	return start == 0 || s.text[start-1] == '\n'
}

// isVerb reports whether the name at [start,end) is the verb to pass: what
// follows is part of a sentence, or has a form that passwords seldom have.
func (s *scanner) isVerb(start, end int, v *secretValue) bool {
	name := s.text[start:end]
	if len(name) != len("pass") || !bytes.EqualFold(name, []byte("pass")) {
		return false
	}
	goesOn := v.end < len(s.text) && s.text[v.end] != '\n' && s.text[v.end] != '\r'
	return goesOn || name[0] == 'P' || bytes.IndexAny(s.text[v.start:v.end], "_-.") >= 0
}

func isNameByte(c byte) bool { return setWord.has(c) || c == '.' }

// secretValue is where a value stands and how it was written.
type secretValue struct {
	start, end int
	quoted     bool
	spaced     bool // a space before it, as in code
	bare       bool // no "=" or ":" before it: the value must speak for itself
}

// assigned finds the value that the name at [start,end) is given, in any of
// the usual notations.
func (s *scanner) assigned(start, end int) (v secretValue, ok bool) {
	i := s.skipClosers(end)
	if j := s.pairedValue(i); j > 0 {
		i = j
	} else if j := s.secondArgument(start, end, i); j > 0 {
		return s.valueAt(j)
	}
	j := s.skipBlanks(i)
	op := s.operator(j)
	if op == 0 && j > i {
		if k := s.skipOwner(j); k > 0 {
			j, op = k, s.operator(k)
		}
	}
	if op == 0 {
		v, ok = s.bareValue(i, j)
		if ok && v.bare && bytes.HasPrefix(s.text[start:end], []byte("--")) { // of an option, or a sentence about one
			v.bare = s.text[v.start] == '-' || bytes.IndexAny(s.text[v.start:v.end], "0123456789") < 0
		}
		return v, ok
	}
	if s.before(start) == ':' && s.text[j] == ':' { // arn:…:secret:name
		return v, false
	}
	at := s.skipBlanks(j + op)
	v, ok = s.valueAt(at)
	v.spaced = at > j+op
	return v, ok
}

// skipClosers walks over the quote that ends a name, escaped or not.
func (s *scanner) skipClosers(i int) int {
	for i < len(s.text) && (s.text[i] == '\\' || s.text[i] == '"' || s.text[i] == '\'' || s.text[i] == '`' || s.text[i] == ']') {
		i++
	}
	return i
}

func (s *scanner) skipBlanks(i int) int {
	for i < len(s.text) && (s.text[i] == ' ' || s.text[i] == '\t') {
		i++
	}
	return i
}

// pairedValue handles {"name":"X","value":"…"} and its YAML form: it gives
// where "value" ends when it comes next, else 0.
func (s *scanner) pairedValue(i int) int {
	j := i
	for j < len(s.text) && j-i < 16 && (isSpace(s.text[j]) || s.text[j] == ',' || s.text[j] == '"' || s.text[j] == '\\' || s.text[j] == '\'') {
		j++
	}
	const word = "value"
	if j == i || j+len(word) > len(s.text) || !bytes.EqualFold(s.text[j:j+len(word)], []byte(word)) {
		return 0
	}
	return s.skipClosers(j + len(word))
}

// skipOwner walks over what may stand between a name and its assignment, as in
// "password for mira:" and "password set to:", and gives where that is, 0 where
// there is nothing of the kind at i.
func (s *scanner) skipOwner(i int) int {
	const words, longest = 3, 32
	first := false
	for _, word := range [...]string{"for ", "set ", "of ", "FOR "} {
		first = first || bytes.HasPrefix(s.text[i:], []byte(word))
	}
	for n := 0; first && n < words; n++ {
		end := i
		for end < len(s.text) && end-i < longest && !isSpace(s.text[end]) && s.operator(end) == 0 {
			end++
		}
		if end == i {
			return 0
		}
		if i = s.skipBlanks(end); n > 0 && s.operator(i) > 0 {
			return i
		}
	}
	return 0
}

// secondArgument gives where the value stands in setenv("NAME", "value"), the
// name being all capitals, 0 where it stands nowhere: i is where the name with
// its quote ends.
func (s *scanner) secondArgument(start, end, i int) int {
	if i != end+1 || i >= len(s.text) || s.text[i] != ',' || run(s.text[start:], setUpper|setDigit|setScore, end-start) < end-start {
		return 0
	}
	if j := s.skipBlanks(i + 1); j < len(s.text) && (s.text[j] == '"' || s.text[j] == '\'') {
		return j
	}
	return 0
}

// operator gives the length of the assignment at i, 0 where there is none.
func (s *scanner) operator(i int) int {
	if i >= len(s.text) || isWordByte(s.text[i]) { // nearly always
		return 0
	}
	rest := s.text[i:]
	for _, op := range [...]string{":=", "=>", "==", "->", "||", "=", ":", ">"} {
		if len(rest) >= len(op) && string(rest[:len(op)]) == op {
			return len(op)
		}
	}
	return 0
}

// bareValue handles values that only white space, or a word such as "is",
// parts from the name: i is where the name ends, j where the white space does.
func (s *scanner) bareValue(i, j int) (v secretValue, ok bool) {
	if i == j || j >= len(s.text) {
		return v, false
	}
	for _, word := range [...]string{"is ", "as ", "by ", "was "} {
		if len(s.text)-j > len(word) && string(s.text[j:j+len(word)]) == word {
			j += len(word)
		}
	}
	v, ok = s.valueAt(j)
	v.bare = !v.quoted || s.text[v.start-1] == '`'
	return v, ok
}

const (
	maxSecret = 1024 // bytes
	maxJudged = 128  // bytes of a value that tell what it is
)

// valueAt reads the value that begins at i: to the closing quote, or to what
// cannot belong to an unquoted one.
func (s *scanner) valueAt(i int) (v secretValue, ok bool) {
	escaped := false
	if i < len(s.text) && s.text[i] == '\\' && i+1 < len(s.text) && s.text[i+1] == '"' {
		escaped = true
		i++
	}
	if i >= len(s.text) {
		return v, false
	}
	quote := s.text[i]
	if quote == '"' || quote == '\'' || quote == '`' {
		end := s.quotedEnd(i+1, quote, escaped)
		return secretValue{start: i + 1, end: end, quoted: true}, end > i+1
	}
	end := s.valueEnd(i)
	for end > i && (s.text[end-1] == '.' || s.text[end-1] == ':') {
		end--
	}
	return secretValue{start: i, end: end}, end > i
}

// valueEnd gives where the unquoted value at i ends. What an earlier walk saw
// holds no end, and is not walked again.
func (s *scanner) valueEnd(i int) int {
	end := i
	if i >= s.plainFrom && i < s.plainEnd {
		end = s.plainEnd
	} else {
		s.plainFrom = i
	}
	for end < len(s.text) && end-i < maxSecret && !s.endsValue(end) {
		end++
	}
	s.plainEnd = end
	return end
}

func (s *scanner) quotedEnd(i int, quote byte, escaped bool) int {
	for j := i; j < len(s.text) && j-i < maxSecret; j++ {
		switch c := s.text[j]; {
		case c == '\\' && escaped && j+1 < len(s.text) && s.text[j+1] == quote:
			return j
		case c == '\\':
			j++
		case c == quote, c == '\n':
			return j
		}
	}
	return min(len(s.text), i+maxSecret)
}

// endsValue reports whether the byte at p ends an unquoted value.
func (s *scanner) endsValue(p int) bool {
	switch c := s.text[p]; c {
	case '"', '\'', '`', ',', ';', '<', '>', '|', ')', ']', '}', 0:
		return true
	case '\\':
		return p+1 < len(s.text) && bytes.IndexByte([]byte(`nrt"`), s.text[p+1]) >= 0
	case '&': // of a query: a name and "=" follow
		n := run(s.text[p+1:], setDots, 32)
		return n > 0 && p+1+n < len(s.text) && s.text[p+1+n] == '='
	default:
		return isSpace(c)
	}
}

// plausible reports whether a value looks like a secret of that kind rather
// than a placeholder, code or prose.
func (v *secretValue) plausible(text []byte, kind nameKind) bool {
	value := text[v.start:min(v.end, v.start+maxJudged)]
	f := featuresOf(value)
	if f.spaces > 0 || isPlaceholder(value) || v.isCode(value, &f) {
		return false
	}
	if isTimestamp(value) {
		return false
	}
	if kind == nameToken {
		return !v.bare && len(value) >= minToken && f.isToken(value)
	}
	if v.bare {
		return v.speaksForItself(text)
	}
	return len(value) >= minPassword && f.isPassword(value)
}

// speaksForItself reports whether a value that nothing assigns looks chosen as
// a password.
func (v *secretValue) speaksForItself(text []byte) bool {
	value := text[v.start:min(v.end, v.start+maxJudged)]
	if len(value) < 8 {
		return false
	}
	f := featuresOf(value)
	return f.digits > 0 && f.letters > 0 && bytes.IndexAny(value, "@:/=") < 0
}

// The shortest values that count as drawn by lot, and as chosen, in bytes.
const (
	minToken    = 10
	minPassword = 6
)

func (f *features) isToken(value []byte) bool {
	if !varied(value) {
		return false
	}
	if f.digits > 0 {
		return f.letters > 0
	}
	return f.small > 0 && f.capitals > 0 && (f.signs > 0 || f.joints > 0 && !saysWhat(value))
}

func (f *features) isPassword(value []byte) bool {
	if f.digits > 0 || f.signs > 0 {
		return f.letters+f.digits > 0
	}
	if saysWhat(value) {
		return false
	}
	return f.turns > 1 || varied(value) &&
		(f.small > 0 && f.capitals > 0 && f.joints > 0 || f.letters == len(value) && f.letters >= 2*minPassword)
}

// saysWhat reports whether a value without digits is a name of what should
// stand there.
func saysWhat(value []byte) bool {
	var buf [64]byte
	low := lowerAll(buf[:copy(buf[:], value)])
	for _, word := range [...]string{"password", "passwd", "secret", "token", "key", "your", "enter", "change",
		"example", "placeholder", "default", "credential", "auth", "user", "field", "header", "value", "type", "string"} {
		if bytes.Contains(low, []byte(word)) {
			return true
		}
	}
	return false
}

// features counts the kinds of characters in a value.
type features struct {
	digits, letters, small, capitals, spaces int
	joints                                   int // _ and -
	signs                                    int // neither of these nor . / :
	turns                                    int // from small letter to capital
}

func featuresOf(value []byte) (f features) {
	for i, c := range value {
		switch {
		case isDigit(c):
			f.digits++
		case c-'a' < 26:
			f.small++
		case c-'A' < 26:
			f.capitals++
			if i > 0 && value[i-1]-'a' < 26 {
				f.turns++
			}
		case c >= 0x80:
			f.letters++
		case isSpace(c):
			f.spaces++
		case c == '_' || c == '-':
			f.joints++
		case c != '.' && c != '/' && c != ':':
			f.signs++
		}
	}
	f.letters += f.small + f.capitals
	return f
}

// isPlaceholder reports whether a value stands for one that is filled in, or
// was masked already.
func isPlaceholder(value []byte) bool {
	switch value[0] {
	case '{', '<', '[', '(':
		return true
	case '$', '%':
		if len(value) > 1 && (value[1] == '{' || value[1] == '(' || run(value[1:], setWord, len(value)) == len(value)-1) {
			return true
		}
	case '*', '#', 'x', 'X', '.':
		if len(bytes.TrimLeft(value, string(value[:1]))) == 0 {
			return true
		}
	}
	if bytes.Contains(value, []byte("${")) || bytes.Contains(value, []byte("{{")) {
		return true
	}
	var buf [16]byte
	if len(value) > len(buf) {
		return false
	}
	for i, c := range value {
		buf[i] = lower(c)
	}
	switch string(buf[:len(value)]) {
	case "null", "none", "nil", "true", "false", "string", "redacted", "changeme", "example", "undefined",
		"masked", "[redacted]", "[filtered]", "password", "passwd", "passwort", "pass", "pwd", "secret", "unset", "empty", "required":
		return true
	}
	return false
}
