//go:build !linux

package tunnel

import "net/netip"

const canAskTCPPeer = false

func socketOwner(_, _ netip.AddrPort) (int, error) { return -1, ErrNoPeerCheck }
