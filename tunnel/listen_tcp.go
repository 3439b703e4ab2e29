package tunnel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"hoop/tunnel/socket"
)

const (
	refuseTimeout = 5 * time.Second
	maxRefusals   = 64 // refusals under way at the same time; more are cut off
)

// ErrNoPeerCheck means that this system cannot say which user is behind a TCP
// conn; a unix socket can be used instead.
var ErrNoPeerCheck = errors.New("this system cannot say whose process uses a TCP port, so every user of the machine could use it")

// ListenTCP listens on a loopback address, such as "127.0.0.1:23817". The
// kernel is asked which user is behind each conn. A conn of another user, or
// of nobody known (uid -1), goes to refuse, which may answer in its protocol
// within 5 seconds and closes the conn; nil just closes. Accept does not wait
// for it. An *InUseError names who has the port. Where the system cannot be
// asked the error is ErrNoPeerCheck.
func ListenTCP(addr string, refuse func(c net.Conn, uid int)) (net.Listener, error) {
	if !canAskTCPPeer {
		return nil, ErrNoPeerCheck
	}
	ln, err := listenLoopback(addr)
	if err != nil {
		return nil, err
	}
	return &tcpListener{TCPListener: ln, refuse: refuse, slots: make(chan struct{}, maxRefusals)}, nil
}

// ListenTCPUnchecked is ListenTCP without any check: every user of this machine
// can use the listener. It is for systems with ErrNoPeerCheck, after the user
// has said so explicitly.
func ListenTCPUnchecked(addr string) (net.Listener, error) { return listenLoopback(addr) }

func listenLoopback(addr string) (*net.TCPListener, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on TCP: %w", err)
	}
	if !ap.Addr().IsLoopback() || ap.Addr().Is4In6() {
		return nil, fmt.Errorf("listen on %s: only a loopback address is allowed", addr)
	}
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(ap))
	if errors.Is(err, syscall.EADDRINUSE) {
		e := &InUseError{Addr: addr}
		e.PID, e.Program, _ = PortOwner(int(ap.Port()))
		return nil, e
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return ln, nil
}

type tcpListener struct {
	*net.TCPListener
	refuse func(net.Conn, int)
	slots  chan struct{}
	tasks  sync.WaitGroup
}

// Accept waits for a conn of the user who listens.
func (l *tcpListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		uid, err := tcpPeer(c)
		if err != nil {
			uid = -1
		}
		if mayUse(uid, os.Geteuid()) {
			return socket.New(c), nil
		}
		l.turnAway(c, uid)
	}
}

func (l *tcpListener) turnAway(c *net.TCPConn, uid int) {
	select {
	case l.slots <- struct{}{}:
	default:
		_ = c.Close()
		return
	}
	l.tasks.Go(func() {
		defer func() { <-l.slots }()
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(refuseTimeout))
		if l.refuse != nil {
			l.refuse(c, uid)
		}
	})
}

// Close stops listening and waits for the refusals under way.
func (l *tcpListener) Close() error {
	err := l.TCPListener.Close()
	l.tasks.Wait()
	return err
}

// tcpPeer asks the kernel which user holds the other end of a loopback conn.
func tcpPeer(c *net.TCPConn) (int, error) {
	local, lok := c.LocalAddr().(*net.TCPAddr)
	remote, rok := c.RemoteAddr().(*net.TCPAddr)
	if !lok || !rok {
		return -1, errors.New("conn without TCP addresses")
	}
	return socketOwner(unmapped(remote), unmapped(local))
}

func unmapped(a *net.TCPAddr) netip.AddrPort {
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
