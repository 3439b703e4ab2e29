package mask

import (
	"strings"
	"testing"

	"hoop/policy"
)

// Input that means harm must not cost more than a constant for each byte: in
// quadratic time these would take minutes.
func TestHostileInputEnds(t *testing.T) {
	const size = 1 << 17
	all := allDetectors(t, policy.MaskSpec{Method: "redact"})
	cards, err := NewDetectors([]string{"credit_card"}, func(string) (*Method, error) { return &Method{}, nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range []string{
		"@", "a@", "a.b@c.", "1", "1 ", "12-", "+1", "1.1.1.1.", "eyJ", "_eyJ", "eyJ.", "pass=", "pass:\"", "password is ",
		"$6$", "$6$a", "LS0tLS1CRUdJTi", "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ",
		"-----END ", ":5432:", ":5432:a:b:c", " -p ", "basic ", "://a:b@", "://", "DE89", "DE89 ", "%40", "ZXlK-", "ghp_", ".atlasv1.",
		"\x1b[", "\x1b[1", "\x1b]", "\x1b", "Q~", ":AA", "tel: 1", "call ", "\xe2\x80\x91", "'", "o'a@b.com",
	} {
		text := []byte(strings.Repeat(unit, size/len(unit)))
		all.Find(nil, text, Context{Name: "phone"})
		cards.Find(nil, text, Context{})
		all.Candidates(nil, text)
		s := all.NewStream(StreamOptions{})
		for at := 0; at < len(text); at += 1 << 14 {
			s.Write(nil, text[at:min(len(text), at+1<<14)], noon)
		}
		s.Close(nil)
	}
}
