//go:build !unix

package tunnel

// awaitsReadable: overlapped reads need their buffer from the start, so TLS
// reads straight from the conn here.
const awaitsReadable = false

func (b *bufferedConn) tryRead(uintptr) bool { return true }
