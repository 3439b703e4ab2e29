package cli

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hoop/broker/api"
	"hoop/tunnel"
)

// openDoorOn opens the listeners of a system that cannot say whose process
// uses a TCP port.
func openDoorOn(t *testing.T, unixSockets bool, o doorOptions) (*door, error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "hoop-door-") // short, as a socket's path must be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &door{conn: &api.Connection{Name: "shop", User: "app", Database: "shop"}, speaks: postgresProtocol()}
	t.Cleanup(d.close)
	on := localSystem{unixSockets: unixSockets,
		listenTCP: func(string, func(net.Conn, int)) (net.Listener, error) { return nil, tunnel.ErrNoPeerCheck }}
	return d, d.listen(on, o, func() (string, error) { return filepath.Join(dir, "s"), nil })
}

// TestDoorWithSocketAlone: what macOS gets. Everything that tells a program
// where to go names the socket, and nothing names port 0.
func TestDoorWithSocketAlone(t *testing.T) {
	d, err := openDoorOn(t, true, doorOptions{anyPort: true})
	if err != nil {
		t.Fatal(err)
	}
	if d.port != 0 || len(d.listeners) != 1 || d.dir == "" {
		t.Fatalf("port %d, folder %q, %d listeners", d.port, d.dir, len(d.listeners))
	}
	if env := strings.Join(postgresEnv(d), "\n"); !strings.Contains(env, "PGHOST="+d.dir+"\nPGPORT=5432") {
		t.Errorf("the environment is\n%s", env)
	}
	if postgresURI(d) != postgresSocketURI(d) {
		t.Errorf("the URL is %s", postgresURI(d))
	}
	if r := postgresReady(d); r["host"] != d.dir || r["port"] != 5432 {
		t.Errorf("ready tells %v and %v", r["host"], r["port"])
	}
	if !strings.Contains(d.caution(), "no TCP port") {
		t.Errorf("the user is told %q", d.caution())
	}
	c, err := net.Dial("unix", filepath.Join(d.dir, d.speaks.socket))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

// TestUncheckedPortIsNeverOpenedUnasked: neither where a port was asked for by
// number, nor where there is nothing else.
func TestUncheckedPortIsNeverOpenedUnasked(t *testing.T) {
	for what, ask := range map[string]struct {
		unixSockets bool
		doorOptions
	}{
		"a port by number": {true, doorOptions{port: 23817}},
		"no unix sockets":  {false, doorOptions{anyPort: true}},
	} {
		d, err := openDoorOn(t, ask.unixSockets, ask.doorOptions)
		var e *exitError
		if !errors.As(err, &e) || e.code != exitCannotBind || !strings.Contains(e.hint, "--allow-unchecked-tcp") {
			t.Errorf("%s: %v (%+v)", what, err, e)
		}
		if len(d.listeners) != 0 {
			t.Errorf("%s: something listens", what)
		}
	}
}

func TestUncheckedPortWhereAskedFor(t *testing.T) {
	d, err := openDoorOn(t, false, doorOptions{anyPort: true, unchecked: true})
	if err != nil {
		t.Fatal(err)
	}
	if !d.unchecked || d.port == 0 || d.dir != "" || !strings.Contains(d.caution(), "every user") {
		t.Fatalf("%+v, the user is told %q", d, d.caution())
	}
}

// TestAllowingUncheckedChangesNothingHere: where the system can say, it is
// asked, whatever the option says.
func TestAllowingUncheckedChangesNothingHere(t *testing.T) {
	d := &door{conn: &api.Connection{Name: "shop"}, speaks: postgresProtocol()}
	t.Cleanup(d.close)
	on := thisSystem()
	on.unixSockets = false
	err := d.listen(on, doorOptions{anyPort: true, unchecked: true}, nil)
	if errors.Is(err, tunnel.ErrNoPeerCheck) {
		t.Fatal("this test is for systems that can say whose process uses a port")
	}
	if err != nil || d.unchecked {
		t.Fatalf("unchecked %v, %v", d.unchecked, err)
	}
}
