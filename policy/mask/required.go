package mask

import (
	"regexp/syntax"
	"unicode/utf8"
)

const (
	// maxChoices bounds how many texts stand for one pattern.
	maxChoices = 48
	// maxClass bounds the characters of a class that are spelled out.
	maxClass = 6
)

// required gives small-letter texts of at least three bytes such that every
// match contains one of them, in any case; nil where the pattern has none.
func required(re *syntax.Regexp) []string {
	best := requiredIn(re)
	if score(best) == 0 {
		return nil
	}
	return best
}

func requiredIn(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return requiredIn(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return requiredIn(re.Sub[0])
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			texts := requiredIn(sub)
			if score(texts) == 0 {
				return nil
			}
			if all = append(all, texts...); len(all) > maxChoices {
				return nil
			}
		}
		return all
	case syntax.OpConcat:
		return bestOf(re.Sub)
	case syntax.OpLiteral, syntax.OpCharClass:
		return exact(re)
	}
	return nil
}

// bestOf gives the best texts of a concatenation: of one part, or of several
// side by side that can all be spelled out.
func bestOf(parts []*syntax.Regexp) []string {
	var best, joined []string
	consider := func(texts []string) {
		if score(texts) > score(best) {
			best = texts
		}
	}
	for _, part := range parts {
		texts := exact(part)
		if texts == nil {
			consider(joined)
			joined = nil
			consider(requiredIn(part))
			continue
		}
		if more := product(joined, texts); more != nil {
			joined = more
		} else {
			consider(joined)
			joined = texts
		}
		consider(joined)
	}
	return best
}

// exact spells out all that re matches, folded; nil where that is too much.
func exact(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		text := make([]byte, 0, len(re.Rune))
		for _, r := range re.Rune {
			if r >= utf8.RuneSelf && re.Flags&syntax.FoldCase != 0 {
				return nil // other scripts fold in other ways
			}
			text = utf8.AppendRune(text, r)
		}
		return foldable(lowerAll(text), re)
	case syntax.OpCharClass:
		var out []string
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if r >= utf8.RuneSelf || len(out) == 2*maxClass {
					return nil
				}
				out = add(out, string(rune(lower(byte(r)))))
			}
		}
		if len(out) > maxClass {
			return nil
		}
		return out
	case syntax.OpCapture:
		return exact(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min == re.Max && re.Min > 0 && re.Min <= 4 {
			one := exact(re.Sub[0])
			out := one
			for range re.Min - 1 {
				out = product(out, one)
			}
			return out
		}
	}
	return nil
}

// foldable gives the texts that fold to text. Beyond ASCII there are two
// letters that fold to k and s (K and ſ): with few of them, both spellings are
// indexed, else none is.
func foldable(text []byte, re *syntax.Regexp) []string {
	if re.Flags&syntax.FoldCase == 0 {
		return []string{string(text)}
	}
	out := []string{""}
	for _, c := range text {
		spellings := []string{string(rune(c))}
		switch c {
		case 'k':
			spellings = append(spellings, "K")
		case 's':
			spellings = append(spellings, "ſ")
		}
		if len(out)*len(spellings) > 8 {
			return nil
		}
		out = product(out, spellings)
	}
	return out
}

func add(texts []string, text string) []string {
	for _, t := range texts {
		if t == text {
			return texts
		}
	}
	return append(texts, text)
}

// product joins each of a with each of b, nil where that is too many.
func product(a, b []string) []string {
	if a == nil {
		return b
	}
	if len(a)*len(b) > maxChoices || len(b) == 0 {
		return nil
	}
	out := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}

// score rates texts by the rarest fingerprint of each: how seldom one of them
// is met by chance. 0 means that they cannot be indexed, else none is.
func score(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	sum := 0
	for _, t := range texts {
		if len(t) < fingerprint {
			return 0
		}
		at := rarest(t)
		chance := 1
		for _, c := range []byte(t[at : at+fingerprint]) {
			chance *= frequency(c)
		}
		sum += chance / min(len(t), 8)
	}
	return max(1, 1<<30/(sum+1))
}

// longest gives the most bytes that re can match, more than maxReach where
// there is no bound.
func longest(re *syntax.Regexp) int {
	const unbounded = maxReach + 1
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune) * utf8.UTFMax
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		if n := len(re.Rune); re.Op == syntax.OpCharClass && n > 0 && re.Rune[n-1] < utf8.RuneSelf {
			return 1
		}
		return utf8.UTFMax
	case syntax.OpCapture, syntax.OpQuest:
		return longest(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus:
		return unbounded
	case syntax.OpRepeat:
		if re.Max < 0 {
			return unbounded
		}
		return min(unbounded, re.Max*longest(re.Sub[0]))
	case syntax.OpConcat:
		sum := 0
		for _, sub := range re.Sub {
			sum = min(unbounded, sum+longest(sub))
		}
		return sum
	case syntax.OpAlternate:
		most := 0
		for _, sub := range re.Sub {
			most = max(most, longest(sub))
		}
		return most
	}
	return 0
}
