package mask

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"hoop/policy"
)

// generalise makes values coarser: a date becomes the first day of its month
// or year, an e-mail address its domain, an IP address its network. A text
// that is none of these is redacted.
type generalise struct {
	redact
	year bool
}

func newGeneralise(spec policy.MaskSpec) (*generalise, error) {
	g := &generalise{redact: newRedact(spec)}
	switch spec.To {
	case "", "month":
	case "year":
		g.year = true
	default:
		return nil, fmt.Errorf("to is %q: use month or year", spec.To)
	}
	return g, nil
}

func (g *generalise) text(dst, value []byte) ([]byte, bool) {
	if day, ok := parseDay(value); ok {
		return g.date(dst, day), true
	}
	if at := bytes.LastIndexByte(value, '@'); at >= 0 && isDomain(value[at+1:]) {
		return append(dst, value[at+1:]...), true
	}
	if network, ok := networkOf(value); ok {
		return network.AppendTo(dst), true
	}
	return g.redact.text(dst, value)
}

func (g *generalise) date(dst []byte, day int64) []byte {
	t := postgresEpoch.AddDate(0, 0, int(day))
	if g.year {
		return strconv.AppendInt(dst, int64(t.Year()), 10)
	}
	return t.AppendFormat(dst, "2006-01")
}

// day gives the first day of the month or year.
func (g *generalise) day(v int64) (int64, bool) {
	const century = 100 * 366
	if v < -100*century || v > 100*century { // infinity, and what no calendar holds
		return 0, false
	}
	t := postgresEpoch.AddDate(0, 0, int(v))
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	if g.year {
		first = time.Date(t.Year(), time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	return daysSinceEpoch(first), true
}

func isDomain(b []byte) bool {
	if bytes.IndexByte(b, '.') < 0 || !utf8.Valid(b) {
		return false
	}
	for _, c := range b {
		if !isWordByte(c) && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

const (
	network4 = 24 // bits
	network6 = 48
)

func networkOf(value []byte) (netip.Prefix, bool) {
	if len(value) > 64 {
		return netip.Prefix{}, false
	}
	a, err := netip.ParseAddr(string(value))
	if err != nil {
		return netip.Prefix{}, false
	}
	bits := network6
	if a.Is4() {
		bits = network4
	}
	p, err := a.WithZone("").Prefix(bits)
	return p, err == nil
}
