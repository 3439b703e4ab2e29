package mask

import (
	"bytes"
	"encoding/base64"
)

const (
	pemDashes   = "-----"
	maxPEMLabel = 80
)

// pem checks for a private key whose armour begins at p (RFC 7468 §2). One
// that is cut off is found to where its base64 ends.
func (s *scanner) pem(p int) {
	n := labelSize(s.text[p+len(pemBegin):])
	if !bytes.Contains(s.text[p+len(pemBegin):][:n], []byte("PRIVATE KEY")) {
		return
	}
	body := p + len(pemBegin) + n
	for body < len(s.text) && s.text[body] == '-' {
		body++
	}
	s.found(privateKey, p, s.pemEnd(body))
}

// labelSize counts the bytes of a label: capitals, digits and spaces.
func labelSize(text []byte) int {
	n := 0
	for n < len(text) && n < maxPEMLabel && (text[n] == ' ' || (setUpper | setDigit).has(text[n])) {
		n++
	}
	return n
}

// pemEnd gives where the armour ends whose body begins at p.
func (s *scanner) pemEnd(p int) int {
	for i := p; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '-':
			if end := s.pemFooter(i); end > 0 {
				return end
			}
		case setB64.has(c), isSpace(c), c == '\\', c == ':', c == ',', c == '>', c == '|', c == '(', c == ')', c == '.':
		default:
			return trimSpace(s.text, p, i)
		}
	}
	return trimSpace(s.text, p, len(s.text))
}

// pemFooter gives the end of "-----END … -----" at p, 0 where there is none.
func (s *scanner) pemFooter(p int) int {
	const end = "-----END "
	rest := s.text[p:]
	if !bytes.HasPrefix(rest, []byte(end)) {
		return 0
	}
	n := len(end) + labelSize(rest[len(end):])
	closed := n
	for closed < len(rest) && rest[closed] == '-' {
		closed++
	}
	if closed == n { // the line is cut off
		return trimSpace(s.text, p, p+n)
	}
	return p + closed
}

func trimSpace(text []byte, from, end int) int {
	for end > from && isSpace(text[end-1]) {
		end--
	}
	return end
}

// pem64 checks for a private key in base64 as a whole, as kubeconfig files
// hold it: p is where "-----BEGIN" stands encoded.
func (s *scanner) pem64(p int) {
	var buf [96]byte
	head := run(s.text[p:], setB64, 120) &^ 3
	n, err := base64.StdEncoding.Decode(buf[:], s.text[p:p+head])
	if err != nil || !bytes.Contains(buf[:n], []byte("PRIVATE KEY")) {
		return
	}
	s.found(privateKey, p, p+run(s.text[p:], setB64, len(s.text)))
}
