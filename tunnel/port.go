package tunnel

import "hash/fnv"

const (
	firstPort = 20000
	portCount = 10000
)

// StablePort gives the TCP port of a connection's listener: the same for ever,
// from 20000 to 29999, which is below the ports that systems give to outgoing
// connections.
func StablePort(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return firstPort + int(h.Sum32()%portCount)
}
