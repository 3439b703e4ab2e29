package tunnel

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const canAskTCPPeer = true

const (
	sockDiagByFamily = 20 // linux/sock_diag.h
	tcpEstablished   = 1  // net/tcp_states.h
	tcpListen        = 10
)

// inetDiagReq is a netlink header with struct inet_diag_req_v2 of
// linux/inet_diag.h: ports and addresses in network order, the rest native.
type inetDiagReq struct {
	unix.NlMsghdr
	family, protocol, ext, pad uint8
	states                     uint32
	id                         inetDiagSockID
}

type inetDiagSockID struct {
	sport, dport [2]byte
	src, dst     [16]byte
	iface        uint32
	cookie       [2]uint32
}

// inetDiagMsg is struct inet_diag_msg.
type inetDiagMsg struct {
	family, state, timer, retrans uint8
	id                            inetDiagSockID
	expires, rqueue, wqueue       uint32
	uid, inode                    uint32
}

// socketOwner gives the user of the TCP socket at src that is connected to dst.
// It asks netlink, which takes some 50 µs and needs no privilege, or reads
// /proc where netlink is closed, as in some sandboxes.
func socketOwner(src, dst netip.AddrPort) (int, error) {
	m, err := sockDiag(src, dst)
	if err != nil {
		return procOwner(src, dst)
	}
	return m.owner()
}

// owner is the user of a socket that is in use. One that its process has
// closed, or that waits for its end, is reported with uid 0 and no inode: that
// must not pass for root.
func (m *inetDiagMsg) owner() (int, error) {
	if m.state != tcpEstablished || m.inode == 0 {
		return -1, fmt.Errorf("peer's socket is in state %d with inode %d", m.state, m.inode)
	}
	return int(m.uid), nil
}

func sockDiag(src, dst netip.AddrPort) (*inetDiagMsg, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	defer unix.Close(fd)
	tv := unix.NsecToTimeval(int64(time.Second))
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	req := newDiagReq(src, dst)
	out := unsafe.Slice((*byte)(unsafe.Pointer(req)), unsafe.Sizeof(*req))
	if err := unix.Sendto(fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("ask sock_diag: %w", err)
	}
	in := make([]byte, 8<<10)
	n, from, err := unix.Recvfrom(fd, in, 0)
	if err != nil {
		return nil, fmt.Errorf("answer of sock_diag: %w", err)
	}
	if nl, ok := from.(*unix.SockaddrNetlink); !ok || nl.Pid != 0 {
		return nil, errors.New("answer of sock_diag: not from the kernel")
	}
	return parseDiag(in[:n], req.id)
}

func newDiagReq(src, dst netip.AddrPort) *inetDiagReq {
	req := &inetDiagReq{family: unix.AF_INET, protocol: unix.IPPROTO_TCP, states: 1 << tcpEstablished}
	if src.Addr().Is6() {
		req.family = unix.AF_INET6
	}
	req.Len, req.Type, req.Flags, req.Seq = uint32(unsafe.Sizeof(*req)), sockDiagByFamily, unix.NLM_F_REQUEST, 1
	req.id.cookie = [2]uint32{^uint32(0), ^uint32(0)} // INET_DIAG_NOCOOKIE
	binary.BigEndian.PutUint16(req.id.sport[:], src.Port())
	binary.BigEndian.PutUint16(req.id.dport[:], dst.Port())
	copy(req.id.src[:], src.Addr().AsSlice())
	copy(req.id.dst[:], dst.Addr().AsSlice())
	return req
}

func parseDiag(b []byte, asked inetDiagSockID) (*inetDiagMsg, error) {
	const size = int(unsafe.Sizeof(inetDiagMsg{}))
	if len(b) < unix.SizeofNlMsghdr {
		return nil, errors.New("answer of sock_diag is too short")
	}
	typ := binary.NativeEndian.Uint16(b[4:])
	if typ != sockDiagByFamily || len(b) < unix.SizeofNlMsghdr+size {
		return nil, fmt.Errorf("answer of sock_diag is of type %d", typ)
	}
	m := &inetDiagMsg{}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(m)), size), b[unix.SizeofNlMsghdr:])
	if m.id.sport != asked.sport || m.id.dport != asked.dport {
		return nil, errors.New("answer of sock_diag is for another socket")
	}
	return m, nil
}

// procOwner finds the socket in /proc/net/tcp or tcp6.
func procOwner(src, dst netip.AddrPort) (int, error) {
	for f, err := range procSockets(src.Addr()) {
		if err != nil {
			return -1, err
		}
		if f.local == procAddr(src) && f.remote == procAddr(dst) {
			return (&inetDiagMsg{state: f.state, uid: f.uid, inode: f.inode}).owner()
		}
	}
	return -1, fmt.Errorf("no socket connects %s to %s", src, dst)
}

// procSocket is one line of /proc/net/tcp (proc_net_tcp.rst in the kernel).
type procSocket struct {
	local, remote string
	state         uint8
	uid, inode    uint32
}

func procSockets(family netip.Addr) func(yield func(procSocket, error) bool) {
	return func(yield func(procSocket, error) bool) {
		name := "/proc/self/net/tcp"
		if family.Is6() {
			name += "6"
		}
		b, err := os.ReadFile(name)
		if err != nil {
			yield(procSocket{}, fmt.Errorf("list the sockets: %w", err))
			return
		}
		for line := range bytes.Lines(b) {
			f := strings.Fields(string(line))
			if len(f) < 10 || f[0] == "sl" {
				continue
			}
			state, err1 := strconv.ParseUint(f[3], 16, 8)
			uid, err2 := strconv.ParseUint(f[7], 10, 32)
			inode, err3 := strconv.ParseUint(f[9], 10, 32)
			if errors.Join(err1, err2, err3) != nil {
				continue
			}
			if !yield(procSocket{f[1], f[2], uint8(state), uint32(uid), uint32(inode)}, nil) {
				return
			}
		}
	}
}

// procAddr writes an address as /proc does: 32-bit words in native order.
func procAddr(ap netip.AddrPort) string {
	b := ap.Addr().AsSlice()
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		for word := range slices.Chunk(b, 4) {
			slices.Reverse(word)
		}
	}
	return fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(b)), ap.Port())
}
