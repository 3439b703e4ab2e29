package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// hostPattern is an entry of ssh.hosts: a name, *.suffix, prefix*, an address
// or a network.
type hostPattern struct {
	written string
	net     netip.Prefix // valid where it is an address or a network
	text    string       // lower case
	suffix  bool
	prefix  bool
}

func parseHost(s string) (hostPattern, error) {
	p := hostPattern{written: s, text: hostName(s)}
	if s == "*" {
		p.prefix, p.text = true, ""
		return p, nil
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		p.net = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		return p, nil
	}
	if strings.Contains(s, "/") {
		network, err := netip.ParsePrefix(s)
		if err != nil || network.Masked() != network {
			return p, fmt.Errorf("%q is not a network such as 10.20.0.0/16", s)
		}
		p.net = network
		return p, nil
	}
	if p.text, p.suffix = strings.CutPrefix(p.text, "*"); !p.suffix {
		p.text, p.prefix = strings.CutSuffix(p.text, "*")
	}
	if p.text == "" || strings.ContainsAny(p.text, "* :[]%") || strings.Trim(p.text, "0123456789.") == "" || numeric(p.text) {
		return p, fmt.Errorf("%q is no name, *.suffix, prefix*, address or network", s)
	}
	return p, nil
}

// hostName is a name as it is compared: names have no case, and a dot at the
// end only says that they are whole.
func hostName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// numeric reports whether a host is an address in one of the ways that
// inet_aton(3) reads and others do not: 127.1, 0x7f000001, 2130706433.
func numeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if strings.HasPrefix(last, "0x") {
		return true
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// hostLike reports whether a host is a name to everybody. Some resolvers read an
// address up to the first space, and text up to a NUL.
func hostLike(name string) bool {
	return !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_'
	})
}

// match compares with a host that the target is asked to connect to, or an
// address that it is asked to listen at. A name may mean any address, and an
// address any name.
func (p *hostPattern) match(host string) match {
	if p.prefix && p.text == "" {
		return yes
	}
	name := hostName(host)
	zoneless, _, _ := strings.Cut(name, "%")
	addr, err := netip.ParseAddr(zoneless)
	addr = addr.Unmap()
	switch {
	case name == "" || err == nil && addr.IsUnspecified():
		return may // every address, or this very machine
	case err == nil && p.net.IsValid():
		return known(p.net.Contains(addr))
	case err == nil || p.net.IsValid() || numeric(name) || !hostLike(name):
		return may
	case p.suffix:
		return known(strings.HasSuffix(name, p.text))
	case p.prefix:
		return known(strings.HasPrefix(name, p.text))
	}
	return known(name == p.text)
}

type hostPatterns []hostPattern

func (ps hostPatterns) match(host string) match {
	best := no
	for i := range ps {
		best = max(best, ps[i].match(host))
	}
	return best
}

func (ps hostPatterns) String() string {
	written := make([]string, len(ps))
	for i := range ps {
		written[i] = ps[i].written
	}
	return strings.Join(written, ", ")
}

// portRange is an entry of ssh.ports.
type portRange struct{ from, to int }

func parsePorts(s string) (portRange, error) {
	from, to, ranged := strings.Cut(s, "-")
	if !ranged {
		to = from
	}
	a, errA := strconv.ParseUint(from, 10, 16)
	b, errB := strconv.ParseUint(to, 10, 16)
	if errA != nil || errB != nil || a == 0 || b < a {
		return portRange{}, fmt.Errorf("%q is not a port from 1 to 65535, or a range such as 8000-8999", s)
	}
	return portRange{int(a), int(b)}, nil
}

func (r portRange) String() string {
	if r.from == r.to {
		return strconv.Itoa(r.from)
	}
	return fmt.Sprintf("%d-%d", r.from, r.to)
}

type portRanges []portRange

// match compares with a port; 0 is one that the target chooses. Of a number
// that is none, some servers take the lower bits.
func (rs portRanges) match(port int) match {
	if port <= 0 || port > 65535 {
		return may
	}
	for _, r := range rs {
		if r.from <= port && port <= r.to {
			return yes
		}
	}
	return no
}

func (rs portRanges) String() string {
	written := make([]string, len(rs))
	for i, r := range rs {
		written[i] = r.String()
	}
	return strings.Join(written, ", ")
}
