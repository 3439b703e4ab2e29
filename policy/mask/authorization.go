package mask

import (
	"bytes"
	"encoding/base64"
)

// authorization checks what follows "Basic " or "Bearer " at p: credentials in
// base64 (RFC 7617 §2) or an opaque token (RFC 6750 §2.1).
func (s *scanner) authorization(p int) {
	n := run(s.text[p:], setAll, 2048)
	if n < 12 {
		return
	}
	token := s.text[p : p+n]
	if decodesToPair(token) || n >= 20 && random(token) {
		s.found(genericSecret, p, p+n)
	}
}

// decodesToPair reports whether a token is base64 of user:password.
func decodesToPair(token []byte) bool {
	var buf [192]byte
	token = bytes.TrimRight(token, "=")
	if len(token) > 256 {
		return false
	}
	n, err := base64.RawStdEncoding.Decode(buf[:], token)
	if err != nil || bytes.IndexByte(buf[:n], ':') < 1 {
		return false
	}
	for _, c := range buf[:n] {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// crypt checks for a password hash in the format of crypt(3) at p.
func (s *scanner) crypt(p int) {
	const longest = 256
	if p < s.cryptEnd {
		return
	}
	end := p
	for end < min(len(s.text), p+longest) && (setAlnum.has(s.text[end]) || bytes.IndexByte([]byte("./$=,+-"), s.text[end]) >= 0) {
		end++
	}
	s.cryptEnd = end
	if end-p >= 20 && bytes.Count(s.text[p:end], []byte("$")) >= 2 && random(s.text[p:end]) {
		s.found(genericSecret, p, end)
	}
}

// pgpass checks for a line host:port:database:user:password (PostgreSQL,
// "The Password File") of which p is where the database begins.
func (s *scanner) pgpass(p int) {
	line := s.text[p:min(len(s.text), p+maxURL)]
	if n := bytes.IndexAny(line, "\r\n\\ \t\""); n >= 0 {
		line = line[:n]
	}
	fields := 0
	for i, c := range line {
		if c != ':' {
			continue
		}
		if fields++; fields == 2 {
			v := secretValue{start: p + i + 1, end: p + len(line)}
			if v.end > v.start && v.plausible(s.text, namePassword) {
				s.found(genericSecret, v.start, v.end)
			}
			return
		}
	}
}

// option checks the value of a command's "-p" or "-u" that stands at [p,q): a
// password after login, with or without a space after mysql, user:password
// after curl.
func (s *scanner) option(p, q int) {
	begin := max(0, p-80)
	if n := bytes.LastIndexByte(s.text[begin:p], '\n'); n >= 0 {
		begin += n + 1
	}
	command := s.text[begin:p]
	attached := q < len(s.text) && s.text[q] != ' '
	if !attached {
		q++
	}
	v, ok := s.valueAt(q)
	if !ok {
		return
	}
	if s.text[p+2] == 'u' {
		n := bytes.IndexByte(s.text[v.start:v.end], ':')
		if n < 0 || !bytes.Contains(command, []byte("curl")) {
			return
		}
		v.start += n + 1
	} else {
		if !takesPassword(command, attached) {
			return
		}
		v.bare = !v.quoted && !attached
	}
	if v.end > v.start && v.plausible(s.text, namePassword) {
		s.found(genericSecret, v.start, v.end)
	}
}

// takesPassword reports whether a command has a password in its "-p".
func takesPassword(command []byte, attached bool) bool {
	if bytes.Contains(command, []byte("mysql")) || bytes.Contains(command, []byte("mariadb")) {
		return true
	}
	return !attached && (bytes.Contains(command, []byte("login")) || bytes.HasSuffix(command, []byte("sshpass")))
}

// dockerAuth checks what the name at [p,q) in Docker's config.json is given:
// user:password in base64.
func (s *scanner) dockerAuth(p, q int) {
	if v, ok := s.assigned(p, q); ok && v.quoted && decodesToPair(s.text[v.start:v.end]) {
		s.found(genericSecret, v.start, v.end)
	}
}

// spoken checks what the words at [p,q), which mean a password or a key in
// whatever language, are given.
func (s *scanner) spoken(p, q int, kind nameKind) {
	if v, ok := s.assigned(p, q); ok && !v.bare && v.plausible(s.text, kind) {
		s.found(genericSecret, v.start, v.end)
	}
}

// skipCount walks over " 1" as in "Unseal Key 1:".
func (s *scanner) skipCount(p int) int {
	if p >= len(s.text) || s.text[p] != ' ' {
		return p
	}
	n := run(s.text[p+1:], setDigit, 3)
	if n == 0 {
		return p
	}
	return p + 1 + n
}

// identifiedBy checks the quoted password of an SQL statement that creates a
// user.
func (s *scanner) identifiedBy(p int) {
	if v, ok := s.valueAt(s.skipBlanks(p)); ok && v.quoted && v.plausible(s.text, namePassword) {
		s.found(genericSecret, v.start, v.end)
	}
}

const maxURL = 256 // bytes of a URL before "@" that are read

// urlPassword checks for scheme://user:password before the "@" at p (RFC 3986
// §3.2.1) and reports whether p ends such credentials, with or without one.
func (s *scanner) urlPassword(p int) bool {
	s.urlStart, s.urlColon = s.credentials(p)
	s.urlAt = p
	if s.urlStart == 0 || s.pastAuthority(p) {
		return false
	}
	if s.urlColon == 0 || s.urlColon+1 == p {
		return true
	}
	if value := s.text[s.urlColon+1 : p]; len(value) >= 3 && !isPlaceholder(value) {
		s.found(genericSecret, s.urlColon+1, p)
	}
	return true
}

// pastAuthority reports whether the "@" at p stands in the path or the query of
// the URL, so that nothing before it is a password. A password with a slash,
// which should be encoded, is one still.
func (s *scanner) pastAuthority(p int) bool {
	n := bytes.IndexAny(s.text[s.urlStart:p], "/?#")
	if n < 0 {
		return false
	}
	end := s.urlStart + n
	return s.urlColon == 0 || s.urlColon > end || run(s.text[s.urlColon+1:end], setDigit, 5) == end-s.urlColon-1
}

// credentials walks back from the "@" at p to where the credentials of a URL
// begin, 0 where there are none; colon is the first in them, 0 where there is
// none. From an earlier "@" on it knows the way.
func (s *scanner) credentials(p int) (start, colon int) {
	for i := p; i > 0 && p-i < maxURL; i-- {
		c := s.text[i-1]
		switch {
		case i-1 == s.urlAt && c == '@':
			if s.urlColon > 0 {
				colon = s.urlColon
			}
			if p-s.urlStart >= maxURL {
				return 0, 0
			}
			return s.urlStart, colon
		case isSpace(c), c == '"', c == '\'', c == '<', c == '>', c == ',':
			return 0, 0
		case c == '/' && i >= 3 && s.text[i-2] == '/' && s.text[i-3] == ':':
			return i, colon
		case c == ':':
			colon = i - 1
		}
	}
	return 0, 0
}
