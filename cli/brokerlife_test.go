package cli

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReloadActsOnOpenSessions: a session goes on over reloads; a new rule holds
// for its next statement; a broken file changes nothing; without its connection
// the session ends and says why.
func TestReloadActsOnOpenSessions(t *testing.T) {
	t.Parallel()
	b := newBroker(t, brokerOptions{})
	s := openPSQL(t, b.ann(t), "shop")

	b.writeShop(t, shopYAML+`
- {name: no-orders, sql: {tables: [orders]}, effect: deny, reason: orders are closed}
- {name: work, who: {groups: [engineer]}, effect: allow}
`)
	b.reload(t, "configuration reloaded")
	s.sends("SELECT count(*) FROM orders;")
	s.shows("ERROR:  .*denied by policy: orders are closed")
	s.sends("SELECT 'goes ' || 'on';")
	s.shows("goes on")

	b.writeShop(t, "rules: [{nonsense: true}]")
	b.reload(t, "configuration not reloaded; the old one stays in force")
	if log := b.err.String(); !strings.Contains(log, "shop.yaml:1") {
		t.Errorf("the log does not say where: %s", log)
	}
	s.sends("SELECT count(*) FROM orders; SELECT 'on ' || 'still';")
	s.shows("on still")
	if n := strings.Count(s.err.String(), "orders are closed"); n != 2 {
		t.Errorf("the rule denied %d times, want 2", n)
	}

	b.writeShop(t, strings.ReplaceAll(shopYAML, "name: shop", "name: other")+"\n- {name: work, who: {groups: [engineer]}, effect: allow}\n")
	b.reload(t, "configuration reloaded")
	waitFor(t, "the session's end", func() bool { return liveSessions(t, b) == "0" })
	s.sends("SELECT 1;")
	s.shows("FATAL:  .*connection shop is no longer registered")
	_ = s.in.Close()
	if code := s.wait(); code != 2 {
		t.Errorf("psql ended with %d, want 2", code)
	}
}

const shopYAML = `
connections:
- {name: shop, protocol: postgres, credential: app, target: {host: 127.0.0.1, port: PORT, database: shop, tls: {mode: require}}}
rules:`

func liveSessions(t testing.TB, b *brokerProcess) string {
	t.Helper()
	return metric(t, b, "hoop_sessions_live")
}

func metric(t testing.TB, b *brokerProcess, name string) string {
	t.Helper()
	for _, line := range strings.Split(scrape(t, b, "/metrics"), "\n") {
		if n, ok := strings.CutPrefix(line, name+" "); ok {
			return n
		}
	}
	t.Fatalf("there is no %s", name)
	return ""
}

func scrape(t testing.TB, b *brokerProcess, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + b.metrics + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", path, resp.Status, err)
	}
	return string(body)
}

// TestTermDrains: what runs may end, nothing new begins, and the audit log is
// whole afterwards.
func TestTermDrains(t *testing.T) {
	t.Parallel()
	b := newBroker(t, brokerOptions{limits: "drain: 60s"})
	env := b.ann(t)
	s := openPSQL(t, env, "shop")
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := scrape(t, b, path); !strings.Contains(got, `"ok":true`) {
			t.Errorf("%s: %s", path, got)
		}
	}
	if n := liveSessions(t, b); n != "1" {
		t.Errorf("%s live sessions, want 1", n)
	}
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	b.shows("draining")
	r := hoop(t, env, "connect", "shop", "--", "psql", "-XAtc", "SELECT 'new'")
	if r.code == 0 || !strings.Contains(r.stderr, "shutting down") {
		t.Errorf("a new session while draining: %+v", r)
	}
	s.sends("SELECT 'old ' || 'one';")
	s.shows("old one")
	s.sends(`\q`)
	if code := s.wait(); code != 0 {
		t.Errorf("the old session ended with %d: %s", code, s.err.String())
	}
	if code := b.wait(); code != 0 {
		t.Errorf("the broker ended with %d: %s", code, b.err.String())
	}
	hoop(t, env, "audit", "verify", "--config", b.config()).must(t, 0)
}

// TestDrainEndsWhatStays: the time is over, and the client reads why.
func TestDrainEndsWhatStays(t *testing.T) {
	t.Parallel()
	b := newBroker(t, brokerOptions{limits: "drain: 300ms"})
	s := openPSQL(t, b.ann(t), "shop")
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	if code := b.wait(); code != 0 {
		t.Errorf("the broker ended with %d", code)
	}
	s.sends("SELECT 1;")
	s.shows("FATAL:  .*the broker is shutting down")
}

// TestSilentClientsHoldNobodyUp: clients stop at each step of the way in;
// others are served meanwhile, and the silent ones are cut off.
func TestSilentClientsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	b := newBroker(t, brokerOptions{limits: "handshake: 3s"})
	env := b.ann(t)
	silent := map[string]net.Conn{}
	for range 50 {
		c, err := net.Dial("tcp", b.listen)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		silent["TLS"] = c
	}
	half, err := tls.Dial("tcp", b.listen, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = half.Close() }()
	_, _ = fmt.Fprint(half, "GET /v1/info HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	silent["HTTP"] = half
	l := openListener(t, env, "shop", "--listen", "--format", "json", "--port", freePort(t), "--socket-dir", t.TempDir()+"/s")
	mute, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", itoa(l.Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	_, _ = mute.Write([]byte{0, 0, 0, 50, 0, 3})
	silent["Postgres startup"] = mute
	for range 3 {
		r := hoop(t, env, "connect", "shop", "--", "psql", "-XAtc", "SELECT 'served'").must(t, 0)
		if r.stdout != "served\n" {
			t.Errorf("meanwhile: %+v", r)
		}
	}
	for where, c := range silent {
		_ = c.SetReadDeadline(time.Now().Add(limit))
		if _, err := io.Copy(io.Discard, c); err != nil && os.IsTimeout(err) {
			t.Errorf("who is silent in %s is not cut off", where)
		}
	}
}

// TestBehindAProxyThatEndsTLS: a login, a session and a large result through
// nginx, where the broker trusts it; a refusal that names the setting where not.
func TestBehindAProxyThatEndsTLS(t *testing.T) {
	t.Parallel()
	b := newBroker(t, brokerOptions{identity: "trusted_proxies: [127.0.0.1]"})
	front := nginx(t, b)
	dir := filepath.Join(t.TempDir(), "ann")
	signInTo(t, dir, "https://"+front, b.ca(), "ann", annsPassword)
	env := clientEnv(dir)
	if r := hoop(t, env, "whoami").must(t, 0); !strings.Contains(r.stdout, "proof    nonce") {
		t.Errorf("whoami: %s", r.stdout)
	}
	r := hoop(t, env, "connect", "shop", "--", "psql", "-XAtc", "SELECT repeat('x', 1000) FROM generate_series(1, 20000)").must(t, 0)
	if len(r.stdout) != 20000*1001 {
		t.Errorf("%d bytes arrived, want %d", len(r.stdout), 20000*1001)
	}

	b.configure(t, brokerOptions{})
	b.reload(t, "configuration reloaded")
	r = hoop(t, env, "whoami")
	if r.code == 0 || !strings.Contains(r.stderr, "trusted_proxies") {
		t.Errorf("through a proxy that is not trusted: %+v", r)
	}
}

// nginx runs one that ends TLS before the broker, and gives its address.
func nginx(t testing.TB, b *brokerProcess) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx"
	}
	dir, addr := t.TempDir(), "127.0.0.1:"+freePort(t)
	conf := fmt.Sprintf(`daemon off; error_log stderr; pid %[1]s/pid; user root;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server {
		listen %[2]s ssl;
		ssl_certificate %[3]s/tls/broker.pem; ssl_certificate_key %[3]s/tls/broker-key.pem; ssl_protocols TLSv1.3;
		location / {
			proxy_pass https://%[4]s;
			proxy_ssl_trusted_certificate %[3]s/tls/ca.pem; proxy_ssl_verify on; proxy_ssl_name localhost;
			proxy_ssl_protocols TLSv1.3; proxy_ssl_server_name on;
			proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 1h;
			proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
		}
	}
}
`, dir, addr, b.dir, b.listen)
	if os.Getuid() != 0 {
		conf = strings.Replace(conf, "user root;", "", 1)
	}
	if err := os.WriteFile(dir+"/nginx.conf", []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, exec.CommandContext(background(t), path, "-p", dir, "-c", dir+"/nginx.conf"))
	waitFor(t, "nginx", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil || p.cmd.ProcessState != nil
	})
	return addr
}
