package tunnel

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

func unixPeer(c *net.UnixConn) (p unixPeerInfo, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return p, err
	}
	cerr := raw.Control(func(fd uintptr) {
		var u *unix.Ucred
		if u, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			p = unixPeerInfo{uid: int(u.Uid), pid: int(u.Pid)}
		}
	})
	if cerr != nil {
		return p, cerr
	}
	if err != nil {
		return p, fmt.Errorf("ask for the peer's user: %w", err)
	}
	return p, nil
}
