package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"hoop/broker/api"
	"hoop/tunnel"
)

// door is the local side of a connection: listeners that only this user can
// use, each accepted conn carried to the broker by a tunnel of its own.
type door struct {
	client *api.Client
	conn   *api.Connection
	speaks *protocol
	dir    string // folder of the unix socket; "" where there is none
	port   int    // TCP port on 127.0.0.1; 0 where there is none
	// unchecked: nobody can say who uses the port, and the user knows.
	unchecked bool
	why       api.Purpose
	events    func(event, reason string)
	// knownHosts is the file by which SSH clients know the broker.
	knownHosts string

	listeners []net.Listener
	remove    []string
	wg        sync.WaitGroup
}

type doorOptions struct {
	anyPort   bool   // a free port, for one command
	port      int    // the port to take; 0 is the stable one
	dir       string // folder for the unix socket
	unchecked bool   // where nobody can say who uses a TCP port, open one all the same
	why       api.Purpose
	events    func(event, reason string)
}

// openDoor opens the listeners.
func (a *App) openDoor(c *api.Client, conn *api.Connection, o doorOptions) (*door, error) {
	d := &door{client: c, conn: conn, speaks: protocolOf(conn.Protocol), why: o.why, events: o.events}
	if d.events == nil {
		tell := a.listenEvents(conn.Name, "text")
		d.events = func(event, reason string) { tell(event, reason, nil) }
	}
	if err := d.listen(thisSystem(), o, func() (string, error) { return a.socketDir(conn.Name, o) }); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// socketDir is a folder of our own: a new one for one command, and one that
// stays the same for a listener.
func (a *App) socketDir(name string, o doorOptions) (string, error) {
	if o.dir != "" {
		return filepath.Abs(o.dir)
	}
	if o.anyPort {
		name = strconv.Itoa(os.Getpid())
	}
	if base := a.Getenv("XDG_RUNTIME_DIR"); base != "" {
		return filepath.Join(base, "hoop", name), nil
	}
	// One folder straight below the sticky /tmp: the owner of one between could
	// put another in its place.
	return filepath.Join(os.TempDir(), fmt.Sprintf("hoop-%d-%s", os.Getuid(), name)), nil
}

// refuseStranger answers a conn of another user of this machine.
func (d *door) refuseStranger(c net.Conn, uid int) {
	d.speaks.refuse(c, &failure{Exit: exitDenied, Hint: "open one of your own: hoop connect",
		Message: fmt.Sprintf("this listener belongs to uid %d; you are uid %d", os.Getuid(), uid)})
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

// acceptPause is how long a listener rests after a failure.
const acceptPause = 100 * time.Millisecond

func (d *door) accept(ctx context.Context, l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many open files, for example: that passes
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		d.wg.Add(1)
		go func() {
			defer d.wg.Done()
			d.carry(ctx, c)
		}()
	}
}

// carry opens a tunnel for one local conn and moves bytes both ways. Where the
// broker refuses, or the session ends before its time, the client learns why in
// its own protocol.
func (d *door) carry(ctx context.Context, local net.Conn) {
	defer func() { _ = local.Close() }()
	stream, err := d.client.Open(ctx, d.conn.Name, d.conn.Protocol, d.why)
	if err != nil {
		f := classify(err)
		d.speaks.refuse(local, &f)
		return
	}
	defer func() { _ = stream.Close() }()
	defer context.AfterFunc(ctx, func() { _ = stream.Close() })()
	var up sync.WaitGroup
	up.Go(func() {
		if _, err := stream.ReadFrom(local); err == nil {
			_ = stream.CloseWrite()
		} else {
			_ = stream.Close()
		}
	})
	toClient := d.speaks.tap(local)
	_, err = stream.WriteTo(toClient)
	if !d.lastWord(ctx, local, toClient, err) {
		_ = local.Close() // what the client still sends matters to nobody now
	}
	up.Wait()
}

// lastWord tells the client, and who reads standard error, why a session ended
// that neither side wanted to end. Where it did, the conn is left open for a
// moment: closing it while the client sends would reset it, and the client
// might not read the word.
func (d *door) lastWord(ctx context.Context, local net.Conn, to tap, err error) bool {
	reason := ""
	var broken *tunnel.CloseError
	switch {
	case ctx.Err() != nil:
		reason = "hoop was told to stop"
	case errors.As(err, &broken) && broken.Code != tunnel.CloseDone:
		reason = broken.Error()
		d.events("lost", reason)
	default:
		return false
	}
	_ = local.SetReadDeadline(time.Now().Add(time.Second))
	if !to.end("the session ended: " + reason) {
		return false
	}
	half, ok := local.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}
