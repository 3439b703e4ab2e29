package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hoop/tunnel"
)

// listener is what the event ready tells.
type listener struct {
	*process
	Port      int    `json:"port"`
	SocketDir string `json:"socket_dir"`
	URI       string `json:"uri"`
}

func openListener(t testing.TB, env []string, args ...string) *listener {
	t.Helper()
	l := &listener{process: start(t, hoopCommand(t, env, append([]string{"connect"}, args...)...))}
	if err := json.Unmarshal([]byte(l.shows(`(\{.*"event":"ready".*\})`)), l); err != nil {
		t.Fatal(err)
	}
	return l
}

// as runs a program as another user of this machine.
func as(t testing.TB, uid uint32, name string, args ...string) (string, int) {
	t.Helper()
	if int(uid) != os.Getuid() && os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("only root can act as a second user: CI runs as root")
		}
		t.Skip("the owner is served; only root can act as a second user, which CI does")
	}
	c := exec.CommandContext(background(t), name, args...)
	c.Dir, c.Env = "/", []string{"PATH=" + os.Getenv("PATH"), "PGCONNECT_TIMEOUT=20"}
	if int(uid) != os.Getuid() {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

// TestListenerServesItsOwnerOnly: the owner comes in over TCP and over the
// socket, another user over neither, and learns why where a protocol can say it.
func TestListenerServesItsOwnerOnly(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "hoop-own-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l := openListener(t, asAlice(t), "demo-pg", "--listen", "--format", "json", "--port", freePort(t), "--socket-dir", filepath.Join(dir, "s"))
	for what, args := range map[string][]string{"TCP": {l.URI}, "socket": {"-h", l.SocketDir, "-U", "app", "shop"}} {
		if out, code := as(t, uint32(os.Getuid()), "psql", append([]string{"-XAtc", "SELECT 'owner'"}, args...)...); code != 0 || out != "owner\n" {
			t.Errorf("%s: the owner gets %d %q", what, code, out)
		}
	}
	out, code := as(t, 65534, "psql", "-XAtc", "SELECT 'stranger'", l.URI)
	if code == 0 || !strings.Contains(out, "FATAL:  hoop: this listener belongs to uid "+itoa(os.Getuid())+"; you are uid 65534") {
		t.Errorf("TCP: a stranger gets %d %q", code, out)
	}
	out, code = as(t, 65534, "psql", "-XAtc", "SELECT 'stranger'", "-h", l.SocketDir, "-U", "app", "shop")
	if code == 0 || !strings.Contains(out, "Permission denied") {
		t.Errorf("socket: a stranger gets %d %q", code, out)
	}
	for path, want := range map[string]os.FileMode{l.SocketDir: 0o700, filepath.Join(l.SocketDir, ".s.PGSQL.5432"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %o", path, info.Mode(), err, want)
		}
	}
}

// TestWebPageGetsNothing: a page runs as the owner, so the kernel lets it in.
// What a browser sends begins with a method, which is no startup packet, also
// where its body is one.
func TestWebPageGetsNothing(t *testing.T) {
	t.Parallel()
	b := newBroker(t, brokerOptions{})
	l := openListener(t, b.ann(t), "shop", "--listen", "--format", "json", "--port", freePort(t), "--socket-dir", t.TempDir()+"/s")
	addr := net.JoinHostPort("127.0.0.1", itoa(l.Port))
	for _, req := range []string{"GET", "POST", "PUT", "OPTIONS"} {
		r, err := http.NewRequestWithContext(background(t), req, "http://"+addr+"/", bytes.NewReader(startupAndQuery()))
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(r); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s: answered %s", req, resp.Status)
		}
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(limit))
	_, _ = c.Write(append([]byte("POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 500\r\n\r\n"), startupAndQuery()...))
	var got bytes.Buffer
	_, _ = got.ReadFrom(c)
	if strings.Contains(got.String(), "select") || !strings.Contains(got.String(), "08P01") {
		t.Errorf("a page reads %q, want a protocol violation and the end", got.String())
	}
	if n := metric(t, b, "hoop_sessions_total"); n != "0" {
		t.Errorf("a page opened %s sessions", n)
	}
	as(t, uint32(os.Getuid()), "psql", "-XAtc", "SELECT 1", l.URI)
	if n := metric(t, b, "hoop_sessions_total"); n != "1" {
		t.Errorf("psql opened %s sessions, want 1", n)
	}
}

// startupAndQuery is what a page would smuggle in.
func startupAndQuery() []byte {
	body := []byte("\x00\x03\x00\x00user\x00app\x00database\x00shop\x00\x00")
	packet := binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))
	packet = append(packet, body...)
	query := "select 'smuggled'\x00"
	packet = append(packet, 'Q')
	packet = binary.BigEndian.AppendUint32(packet, uint32(len(query)+4))
	return append(packet, query...)
}

func TestPortStaysTheSameAndATakenOneNamesItsOwner(t *testing.T) {
	t.Parallel()
	env := asAlice(t, "XDG_RUNTIME_DIR="+t.TempDir())
	first := openListener(t, env, "demo-pg", "--listen", "--format", "json")
	if first.Port != tunnel.StablePort("demo-pg") {
		t.Errorf("port %d, want %d", first.Port, tunnel.StablePort("demo-pg"))
	}
	r := hoop(t, asAlice(t, "XDG_RUNTIME_DIR="+t.TempDir()), "connect", "demo-pg", "--listen").must(t, 7)
	if want := "in use by hoop (process " + itoa(first.cmd.Process.Pid) + ")"; !strings.Contains(r.stderr, want) {
		t.Errorf("a taken port is told as %q, want %q", r.stderr, want)
	}
	r = hoop(t, env, "connect", "demo-pg", "--listen", "--port", freePort(t)).must(t, 7) // the socket
	if !strings.Contains(r.stderr, itoa(first.cmd.Process.Pid)) {
		t.Errorf("a taken socket is told as %q", r.stderr)
	}
	_ = first.cmd.Process.Signal(syscall.SIGTERM)
	if code := first.wait(); code != 0 {
		t.Errorf("SIGTERM ends a listener with %d, want 0", code)
	}
	first.shows(`"event":"closed".*"reason":"interrupted"`)
	again := openListener(t, env, "demo-pg", "--listen", "-o", "json")
	if again.Port != first.Port || again.SocketDir != first.SocketDir {
		t.Errorf("again at %d and %s, before %d and %s", again.Port, again.SocketDir, first.Port, first.SocketDir)
	}
}

// TestListenerFormats uses each as its reader would.
func TestListenerFormats(t *testing.T) {
	t.Parallel()
	run := func(format, script string) string {
		dir := t.TempDir()
		c := exec.CommandContext(background(t), "sh", "-c", script)
		c.Env = asAlice(t, "FORMAT="+format, "PORT="+freePort(t), "DIR="+dir, "PGSERVICEFILE="+dir+"/service")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", format, err, out)
		}
		return string(out)
	}
	for format, script := range map[string]string{
		"env": `eval "$(hoop connect demo-pg --listen --port $PORT --socket-dir $DIR/s --format env &)"
			psql -XAtc "SELECT 'by ' || 'env'"; kill $HOOP_PID`,
		"uri": `uri=$(hoop connect demo-pg --listen --port $PORT --socket-dir $DIR/s --format uri & echo $! > $DIR/pid)
			psql "$uri" -XAtc "SELECT 'by ' || 'uri'"; kill $(cat $DIR/pid)`,
		"service": `hoop connect demo-pg --listen --port $PORT --socket-dir $DIR/s --format service > $PGSERVICEFILE & pid=$!
			until grep -q gssencmode $PGSERVICEFILE 2>/dev/null; do sleep 0.05; done
			psql service=demo-pg -XAtc "SELECT 'by ' || 'service'"; kill $pid; wait`,
		"text": `hoop connect demo-pg --listen --port $PORT --socket-dir $DIR/s > $DIR/text & pid=$!
			until grep -q Ctrl-C $DIR/text 2>/dev/null; do sleep 0.05; done
			eval "$(sed -n 's/^ *psql  *//p' $DIR/text) -XAtc \"SELECT 'by ' || 'te'\""
			eval "$(sed -n 's/^ *socket  *//p' $DIR/text) -XAtc \"SELECT 'xt'\""; kill $pid; wait`,
	} {
		want := "by " + format
		if got := strings.ReplaceAll(run(format, script), "te\nxt", "text"); !strings.Contains(got, want) {
			t.Errorf("%s gives %q, want %q", format, got, want)
		}
	}
}
