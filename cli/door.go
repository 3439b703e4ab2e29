package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"hoop/broker/api"
	"hoop/broker/postgres"
	"hoop/tunnel"
)

// door is the local side of a connection: listeners that only this user can
// use, each accepted conn carried to the broker by a tunnel of its own.
type door struct {
	client *api.Client
	conn   *api.Connection
	dir    string // folder of the unix socket; "" where there is none
	port   int    // TCP port on 127.0.0.1; 0 where there is none
	events func(event, reason string)

	listeners []net.Listener
	remove    []string
	wg        sync.WaitGroup
}

type doorOptions struct {
	anyPort bool   // a free port, for one command
	port    int    // the port to take; 0 is the stable one
	dir     string // folder for the unix socket
	events  func(event, reason string)
}

// socketName is what libpq looks for in a folder given as host.
const socketName = ".s.PGSQL.5432"

// openDoor opens the listeners.
func (a *App) openDoor(c *api.Client, conn *api.Connection, o doorOptions) (*door, error) {
	d := &door{client: c, conn: conn, events: o.events}
	if d.events == nil {
		d.events = func(string, string) {}
	}
	if err := d.listenTCP(o); err != nil {
		return nil, err
	}
	if runtime.GOOS == "windows" {
		return d, nil
	}
	dir, err := a.socketDir(conn.Name, o)
	if err == nil {
		err = d.listenUnix(dir, o.anyPort)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *door) listenTCP(o doorOptions) error {
	port := o.port
	if port == 0 && !o.anyPort {
		port = tunnel.StablePort(d.conn.Name)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := tunnel.ListenTCP(addr, refuseStranger)
	if err != nil {
		return cannotListen(port, err)
	}
	d.listeners = append(d.listeners, l)
	if t, ok := l.Addr().(*net.TCPAddr); ok {
		d.port = t.Port
	}
	return nil
}

// cannotListen names who has the port.
func cannotListen(port int, err error) error {
	e := &exitError{code: exitCannotBind, word: "cannot_listen", err: fmt.Errorf("cannot listen on port %d: %w", port, err),
		hint: "choose another with --port"}
	if pid, program, ok := tunnel.PortOwner(port); ok {
		e.err = fmt.Errorf("port %d is taken by %s (process %d)", port, program, pid)
	}
	return e
}

func (d *door) listenUnix(dir string, private bool) error {
	l, err := tunnel.ListenUnix(dir, socketName)
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

// socketDir is a folder of our own: a new one for one command, and one that
// stays the same for a listener.
func (a *App) socketDir(name string, o doorOptions) (string, error) {
	if o.dir != "" {
		return filepath.Abs(o.dir)
	}
	base := a.Getenv("XDG_RUNTIME_DIR")
	if base == "" {
		base = filepath.Join(os.TempDir(), "hoop-"+strconv.Itoa(os.Getuid()))
	} else {
		base = filepath.Join(base, "hoop")
	}
	if o.anyPort {
		name = fmt.Sprintf("%d", os.Getpid())
	}
	return filepath.Join(base, name), nil
}

// refuseStranger answers a conn of another user of this machine.
func refuseStranger(c net.Conn, uid int) {
	_ = postgres.Refuse(c, api.CodeDenied,
		fmt.Sprintf("this listener belongs to uid %d; you are uid %d", os.Getuid(), uid),
		"open one of your own: hoop connect")
}

// serve accepts until ctx is done, then ends what it carries.
func (d *door) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, l := range d.listeners {
		d.wg.Add(1)
		go func() {
			defer d.wg.Done()
			d.accept(ctx, l)
		}()
	}
	<-ctx.Done()
	d.close()
	d.wg.Wait()
}

func (d *door) close() {
	for _, l := range d.listeners {
		_ = l.Close()
	}
	for _, dir := range d.remove {
		_ = os.Remove(dir)
	}
}

func (d *door) accept(ctx context.Context, l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			d.events("closed", err.Error())
			return
		}
		d.wg.Add(1)
		go func() {
			defer d.wg.Done()
			d.carry(ctx, c)
		}()
	}
}

// carry opens a tunnel for one local conn and moves bytes both ways. Where the
// broker refuses, the client learns why in its own protocol.
func (d *door) carry(ctx context.Context, local net.Conn) {
	defer func() { _ = local.Close() }()
	stream, err := d.client.Open(ctx, d.conn.Name)
	if err != nil {
		f := classify(err)
		_ = postgres.Refuse(local, f.Code, "hoop: "+f.Message, f.Hint)
		return
	}
	defer func() { _ = stream.Close() }()
	defer context.AfterFunc(ctx, func() { _ = local.Close() })()
	up := make(chan struct{})
	go func() {
		defer close(up)
		_, _ = io.Copy(stream, local)
		_ = stream.CloseWrite()
	}()
	_, _ = io.Copy(local, stream)
	_ = local.Close() // the broker is done: nothing the client sends matters now
	<-up
}

// env is how libpq and most drivers find the listener.
func (d *door) env() []string {
	return []string{
		"PGHOST=127.0.0.1", "PGPORT=" + strconv.Itoa(d.port), "PGUSER=" + d.conn.User,
		"PGPASSWORD=unused", "PGDATABASE=" + d.conn.Database, "PGSSLMODE=disable",
		"HOOP_CONNECTION=" + d.conn.Name, "HOOP_SOCKET_DIR=" + d.dir,
	}
}

// uri is the same as one URL.
func (d *door) uri() string {
	u := url.URL{Scheme: "postgresql", User: url.User(d.conn.User), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(d.port)),
		Path: "/" + d.conn.Database, RawQuery: "sslmode=disable"}
	return u.String()
}
