package cli

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strconv"

	"hoop/tunnel"
)

// localSystem is what a door asks of the system that it stands on.
type localSystem struct {
	listenTCP   func(addr string, refuse func(c net.Conn, uid int)) (net.Listener, error)
	unixSockets bool // usual there, so that drivers know them
}

func thisSystem() localSystem {
	return localSystem{listenTCP: tunnel.ListenTCP, unixSockets: runtime.GOOS != "windows"}
}

// listen opens a TCP port and a unix socket. Where the system cannot say whose
// process uses a port there is the socket alone, unless the user asked for the
// port.
func (d *door) listen(on localSystem, o doorOptions, socketDir func() (string, error)) error {
	err := d.listenTCP(on, o)
	alone := errors.Is(err, tunnel.ErrNoPeerCheck) && on.unixSockets && o.port == 0
	if err != nil && !alone {
		return err
	}
	if !on.unixSockets {
		return nil
	}
	dir, err := socketDir()
	if err != nil {
		return err
	}
	return d.listenUnix(dir, o.anyPort)
}

func (d *door) listenTCP(on localSystem, o doorOptions) error {
	port := o.port
	if port == 0 && !o.anyPort {
		port = tunnel.StablePort(d.conn.Name)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := on.listenTCP(addr, d.refuseStranger)
	if errors.Is(err, tunnel.ErrNoPeerCheck) && o.unchecked {
		l, err = tunnel.ListenTCPUnchecked(addr)
		d.unchecked = err == nil
	}
	if err != nil {
		return cannotListen(port, err)
	}
	d.listeners = append(d.listeners, l)
	if t, ok := l.Addr().(*net.TCPAddr); ok {
		d.port = t.Port
	}
	return nil
}

// cannotListen names who has the port, or why there may be none.
func cannotListen(port int, err error) error {
	e := &exitError{code: exitCannotBind, word: "cannot_listen", err: fmt.Errorf("cannot listen on port %d: %w", port, err),
		hint: "choose another with --port"}
	var taken *tunnel.InUseError
	switch {
	case errors.As(err, &taken):
		e.err = taken
	case errors.Is(err, tunnel.ErrNoPeerCheck):
		e.hint = "if you alone use this machine, or trust who else does: --allow-unchecked-tcp"
	}
	return e
}

func (d *door) listenUnix(dir string, private bool) error {
	l, err := tunnel.ListenUnix(dir, d.speaks.socket)
	if err != nil {
		return &exitError{code: exitCannotBind, word: "cannot_listen", err: fmt.Errorf("cannot listen in %s: %w", dir, err)}
	}
	d.listeners = append(d.listeners, l)
	d.dir = filepath.Dir(l.Addr().String())
	if private {
		d.remove = append(d.remove, d.dir)
	}
	return nil
}

// caution is what the user should know of these listeners, or "".
func (d *door) caution() string {
	switch {
	case d.unchecked:
		return fmt.Sprintf("every user and program of this machine can use port %d as you while this runs", d.port)
	case d.port == 0:
		return "there is a unix socket and no TCP port: this system cannot say whose process uses one (--allow-unchecked-tcp opens it all the same)"
	default:
		return ""
	}
}
