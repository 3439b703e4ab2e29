package mask

import (
	"bytes"
	"testing"
	"time"

	"hoop/policy"
)

// hostileUnits are texts that, repeated, make each verifier begin again and
// again.
func hostileUnits() []string {
	return []string{
		"@", "a@", "a.b@c.", "1", "1 ", "12-", "+1", "1.1.1.1.", "eyJ", "_eyJ", "eyJ.", "pass=", "pass:\"", "password is ",
		"$6$", "$6$a", "LS0tLS1CRUdJTi", "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ",
		"-----END ", ":5432:", ":5432:a:b:c", " -p ", "basic ", "://a:b@", "://", "DE89", "DE89 ", "%40", "ZXlK-", "ghp_", ".atlasv1.",
		"\x1b[", "\x1b[1", "\x1b]", "\x1b", "Q~", ":AA", "tel: 1", "call ", "\xe2\x80\x91", "'", "o'a@b.com",
	}
}

// hostileWork is everything that looks at a text.
func hostileWork(t *testing.T) func(text []byte) {
	all := allDetectors(t, policy.MaskSpec{Method: "redact"})
	cards, err := NewDetectors([]string{"credit_card"}, func(string) (*Method, error) { return &Method{}, nil })
	if err != nil {
		t.Fatal(err)
	}
	custom := customDetectors(t, exampleRules())
	return func(text []byte) {
		all.MaskText(nil, text, Context{Name: "phone"}, nil)
		cards.Find(nil, text, Context{})
		custom.Find(nil, text, Context{})
		all.Candidates(nil, text)
		s := all.NewStream(StreamOptions{})
		var out []byte
		for at := 0; at < len(text); at += 1 << 12 {
			out = s.Write(out[:0], text[at:min(len(text), at+1<<12)], noon)
		}
		s.Close(out)
	}
}

const (
	hostileSize = 1 << 14
	hostileMore = 8 // times the size
	// hostileSlack is how many times its fair share the longer text may cost:
	// caches and the collector are not linear. In quadratic time it would cost
	// hostileMore times its share.
	hostileSlack = 3
)

// superlinear measures whether a unit repeated hostileMore times as often costs
// out of proportion: in processor time, the least of some runs.
func superlinear(work func([]byte), unit []byte) (short, long time.Duration, bad bool) {
	text := bytes.Repeat(unit, hostileMore*hostileSize/len(unit))
	short, long = time.Hour, time.Hour
	for range 5 {
		short = min(short, cpuOf(work, text[:hostileSize]))
		long = min(long, cpuOf(work, text))
		if bad = long > hostileSlack*hostileMore*short+2*time.Millisecond; !bad {
			return short, long, false
		}
	}
	return short, long, true
}

func cpuOf(work func([]byte), text []byte) time.Duration {
	before := cpuTime()
	work(text)
	return cpuTime() - before
}

// Input that means harm must not cost more than a constant for each byte.
func TestHostileInputCostsLinearTime(t *testing.T) {
	work := hostileWork(t)
	for _, unit := range hostileUnits() {
		if short, long, bad := superlinear(work, []byte(unit)); bad {
			t.Errorf("%q: %s for %d bytes, %s for %d", unit, short, hostileSize, long, hostileMore*hostileSize)
		}
	}
}
