package postgres

import "strings"

// sqlName gives the name that a PREPARE or DECLARE statement makes, and ""
// where that is not plain to see.
func sqlName(text, keyword string) string {
	rest := strings.TrimLeft(text, " \t\r\n\f\v")
	if len(rest) < len(keyword) || !strings.EqualFold(rest[:len(keyword)], keyword) {
		return ""
	}
	rest = strings.TrimLeft(rest[len(keyword):], " \t\r\n\f\v")
	if rest == "" {
		return ""
	}
	if rest[0] == '"' {
		end := strings.IndexByte(rest[1:], '"') + 1
		if end < 1 || strings.HasPrefix(rest[end+1:], `"`) {
			return ""
		}
		return plainName(rest[1:end])
	}
	end := strings.IndexFunc(rest, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if end < 1 || strings.IndexByte(" \t\r\n\f\v(", rest[end]) < 0 {
		return ""
	}
	return plainName(strings.ToLower(rest[:end]))
}

// plainName refuses names that PostgreSQL would cut (NAMEDATALEN is 64).
func plainName(name string) string {
	if len(name) > 63 {
		return ""
	}
	return name
}
