package mask

import (
	_ "embed"
	"strings"
	"sync"
	"unicode/utf8"
)

// tldText lists the top-level domains of the root zone, one a line.
//
//go:embed tlds.txt
var tldText string

var topLevelDomains = sync.OnceValue(func() map[string]struct{} {
	// What RFC 2606 §2 reserves for tests stands in copies of production data
	// and is treated like the real thing.
	names := append(strings.Fields(tldText), "example", "test", "invalid")
	set := make(map[string]struct{}, len(names))
	for _, n := range names {
		set[n] = struct{}{}
	}
	return set
})

const (
	maxLocal  = 64  // RFC 5321 §4.5.3.1.1
	maxDomain = 253 // RFC 1035 §2.3.4, less the root
)

// atSign looks at the "@" at p, or "%40" where size is 3: it is in an e-mail
// address, or ends the credentials of a URL.
func (s *scanner) atSign(p, size int) {
	if s.onlySpots {
		s.spot(p, p+size)
		return
	}
	if s.closed(p) || p == 0 || p+size == len(s.text) {
		return
	}
	if size == 1 && s.urlPassword(p) {
		return
	}
	start := s.localStart(p)
	end := s.domainEnd(p + size)
	if start == p || end == 0 || s.isLogin(start, p, end) {
		return
	}
	s.found(email, start, end)
}

// localStart walks back to where the part before "@" begins (RFC 5322 §3.4.1,
// atoms as they are used).
func (s *scanner) localStart(p int) int {
	start := p
	for start > 0 && p-start <= maxLocal && (isLocalByte(s.text[start-1]) || s.isApostrophe(start-1)) {
		start--
	}
	if p-start > maxLocal {
		return p
	}
	if start > 0 && s.text[start-1] == '\\' && start < p { // \n and its kin
		start++
	}
	for start < p {
		switch c := s.text[start]; {
		case c == '.' || c == '-' || c == '+':
			start++
		case c == '%' && p-start > 3: // the end of a percent-encoded "=" or the like
			start += 3
		case c >= utf8.RuneSelf && !utf8.RuneStart(c):
			start++
		default:
			return start
		}
	}
	return p
}

// isApostrophe reports whether an apostrophe belongs to a name such as O'Neil,
// and does not open a quotation.
func (s *scanner) isApostrophe(p int) bool {
	if s.text[p] != '\'' || p == 0 {
		return false
	}
	switch s.text[p-1] {
	case 'o', 'O', 'd', 'D', 'l':
		return p == 1 || !isWordByte(s.text[p-2])
	}
	return false
}

func isLocalByte(c byte) bool {
	return setDots.has(c) || c == '+' || c == '%' || c >= utf8.RuneSelf
}

// domainEnd gives where the domain at p ends, 0 if there is none whose
// top-level domain exists.
func (s *scanner) domainEnd(p int) int {
	end, labels, label := 0, 0, p
	i := p
	for ; i < len(s.text) && i-p <= maxDomain; i++ {
		c := s.text[i]
		if c == '.' {
			if i == label || s.text[label] == '-' || s.text[i-1] == '-' {
				break
			}
			if labels++; labels > 1 && isTLD(s.text[label:i]) {
				end = i
			}
			label = i + 1
			continue
		}
		if !isWordByte(c) && c != '-' {
			break
		}
	}
	if i-p > maxDomain {
		return 0
	}
	for i > label && s.text[i-1] == '-' { // of an arrow or a dash
		i--
	}
	if labels > 0 && i > label && isTLD(s.text[label:i]) {
		return i
	}
	if end > 0 && end+1 < len(s.text) && s.continuesDomain(end) {
		return 0
	}
	return end
}

// continuesDomain reports whether what follows the dot at p belongs to the
// name, so that the name does not end there: "db.example.com.local". A capital
// begins a new sentence.
func (s *scanner) continuesDomain(p int) bool {
	c := s.text[p+1]
	return isDigit(c) || c-'a' < 26
}

func isTLD(label []byte) bool {
	var buf [32]byte
	if len(label) < 2 || len(label) > len(buf) {
		return false
	}
	for i, c := range label {
		buf[i] = lower(c)
	}
	_, ok := topLevelDomains()[string(buf[:len(label)])]
	return ok
}

// isLogin reports whether user@host is an address of a machine: in a prompt,
// after ssh and the like, before a path.
func (s *scanner) isLogin(start, at, end int) bool {
	if end < len(s.text) {
		rest := s.text[end:]
		switch {
		case rest[0] == ':' && len(rest) > 1 && (rest[1] == '~' || rest[1] == '/' || rest[1] == ':'):
			return true
		case rest[0] == ' ' && len(rest) > 1 && rest[1] == '~':
			return true
		case rest[0] == ':' && string(s.text[start:at]) == "git":
			return true
		}
	}
	if start >= 2 && s.text[start-1] == '/' && s.text[start-2] == '/' {
		return true
	}
	return s.afterShell(start)
}

// afterShell reports whether one of the two words before start, on its line,
// is a command that takes user@host.
func (s *scanner) afterShell(start int) bool {
	end := start
	for range 3 {
		for end > 0 && s.text[end-1] == ' ' {
			end--
		}
		begin := end
		for begin > 0 && end-begin < 16 && !isSpace(s.text[begin-1]) {
			begin--
		}
		switch string(s.text[begin:end]) {
		case "ssh", "scp", "sftp", "rsync", "mosh", "autossh", "ssh-copy-id", "sshfs", "rsync:":
			return true
		}
		if begin == end {
			return false
		}
		end = begin
	}
	return false
}
