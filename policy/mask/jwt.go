package mask

import (
	"bytes"
	"encoding/base64"
)

const setURL64 = setAlnum | setScore

// maxHeader bounds the header of a JSON Web Token that is decoded, in bytes of
// base64.
const maxHeader = 1024

// jsonWebToken checks for a token that begins at p: three parts of base64url
// (RFC 7515 §3.1), or five (RFC 7516 §3.1), the first of which decodes to a
// JSON object that names an algorithm.
func (s *scanner) jsonWebToken(p int) {
	if c := s.before(p); setURL64.has(c) && c != '_' && c != '-' && !s.escaped(p) {
		return
	}
	if p < s.noJWTEnd {
		return
	}
	head := run(s.text[p:], setURL64, maxHeader)
	end := p + head
	if end == len(s.text) || s.text[end] != '.' {
		s.noJWTEnd = end
		return
	}
	parts := 1
	for parts < 5 && end < len(s.text) && s.text[end] == '.' {
		n := run(s.text[end+1:], setURL64, len(s.text))
		if n == 0 && parts != 2 { // an unsecured token has no signature (RFC 7515 appendix A.5)
			break
		}
		end += 1 + n
		parts++
	}
	if parts < 3 {
		return
	}
	for end < len(s.text) && s.text[end] == '=' {
		end++
	}
	var buf [maxHeader]byte
	n, err := base64.RawURLEncoding.Decode(buf[:], s.text[p:p+head])
	if err != nil || !bytes.Contains(buf[:n], []byte(`"alg"`)) {
		return
	}
	s.found(jwt, p, end)
}
