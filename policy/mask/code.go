package mask

import "bytes"

// isCode reports whether a value is an expression, a number, a path or an
// address rather than what somebody keeps secret.
func (v *secretValue) isCode(value []byte, f *features) bool {
	if value[0] == '/' || bytes.HasPrefix(value, []byte("./")) || bytes.Contains(value, []byte("://")) || bytes.HasPrefix(value, []byte("arn:")) {
		return true
	}
	for _, name := range [...]string{"os.", "process.", "env.", "req.", "self.", "this.", "config.", "vault:", "secret/", "file:"} {
		if bytes.HasPrefix(value, []byte(name)) {
			return true
		}
	}
	return isEscape(value) || isNumeral(value, f) || isPath(value, f) || !v.quoted && (isExpression(value, v.spaced) || v.spaced && isIdentifier(value, f))
}

// isEscape reports whether a value begins with an escape of a programming
// language or of a manual page.
func isEscape(value []byte) bool {
	return len(value) > 1 && value[0] == '\\' && (isLetter(value[1]) || value[1] == '(' || value[1] == '*')
}

// isNumeral reports whether a value is a number with a point, or in
// hexadecimal with its mark.
func isNumeral(value []byte, f *features) bool {
	if f.letters == 0 && f.digits > 0 && f.signs+f.joints == 0 && bytes.IndexByte(value, '.') >= 0 {
		return bytes.IndexAny(value, "/:") < 0
	}
	digits := bytes.TrimPrefix(value, []byte("-"))
	if len(digits) < 3 || len(digits) > 18 || digits[0] != '0' || digits[1]|0x20 != 'x' {
		return false
	}
	return run(digits[2:], setHex, len(digits)) == len(digits)-2
}

// isPath reports whether a value is a path without a beginning: words in small
// letters, parted by slashes.
func isPath(value []byte, f *features) bool {
	return bytes.Count(value, []byte("/")) > 1 && f.capitals == 0 && f.digits < 3 && f.small > 2*f.digits
}

// isExpression reports whether an unquoted value is a call, an index, a
// composite or a variable of a program. One that is neither qualified nor
// indexed by a number is code only after a space: password=abc(1 is none.
func isExpression(value []byte, spaced bool) bool {
	if value[0] == '&' || value[0] == '*' || value[0] == '$' {
		if spaced = true; value[0] == '$' && !isVariable(value) {
			return false
		}
		value = value[1:]
	}
	if len(value) == 0 || !isLetter(value[0]) && value[0] != '_' {
		return false
	}
	n := 0
	for n < len(value) && (isNameByte(value[n]) || value[n] == ':') {
		n++
	}
	name, rest := value[:n], value[n:]
	qualified := bytes.IndexByte(name, '.') > 0 || bytes.Contains(name, []byte("::"))
	if len(rest) == 0 {
		return bytes.Contains(name, []byte("::"))
	}
	switch rest[0] {
	case '[':
		if digits := run(rest[1:], setDigit, 3); digits > 0 && digits == len(rest)-1 {
			return true
		}
	case '(', '{':
	default:
		return false
	}
	return qualified || spaced && isLetter(name[n-1])
}

// isVariable reports whether a value is a variable of a shell, Perl or PHP and
// more: $name{…, $Class::name, $name->…
func isVariable(value []byte) bool {
	n := 1 + run(value[1:], setWord&^setScore, len(value))
	return n > 1 && n < len(value) && (value[n] == '{' || value[n] == '[' || value[n] == '(' || value[n] == ':' || value[n] == '-' && n+1 == len(value))
}

// isIdentifier reports whether a value in code is a name that says what it
// holds, with one number in it at most.
func isIdentifier(value []byte, f *features) bool {
	return f.digits*4 <= len(value) && f.signs == 0 && f.turns > 0 && numbersIn(value) < 2 &&
		run(value, setDots, len(value)) == len(value) && saysWhat(value)
}

// numbersIn counts the runs of digits in a value.
func numbersIn(value []byte) (n int) {
	for i, c := range value {
		if isDigit(c) && (i == 0 || !isDigit(value[i-1])) {
			n++
		}
	}
	return n
}

// isTimestamp reports whether a value is a date, with or without a time.
func isTimestamp(value []byte) bool {
	return len(value) >= 10 && run(value, setDigit, 4) == 4 && value[4] == '-' && run(value[5:], setDigit, 2) == 2 && value[7] == '-'
}
