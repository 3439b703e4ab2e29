package tunnel

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const nginxConfig = `
daemon off;
worker_processes 1;
%[6]s
pid %[1]s/nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]s ssl;
		ssl_certificate %[3]s;
		ssl_certificate_key %[4]s;
		ssl_protocols TLSv1.3;
		location /hoop/ {
			proxy_pass https://%[5]s/;
			proxy_ssl_protocols TLSv1.3;
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $http_connection;
			proxy_buffering off;
		}
	}
}
`

// nginx is a real nginx in front of the broker, under the prefix /hoop/.
type nginx struct {
	addr, bin, dir, conf string
}

func newNginx(t *testing.T, broker string, cert tls.Certificate) *nginx {
	t.Helper()
	bin, err := exec.LookPath("nginx")
	if err != nil {
		bin, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		t.Fatalf("nginx is not installed (Debian: apt-get install nginx-light): %v", err)
	}
	n := &nginx{bin: bin, dir: t.TempDir()}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.addr = free.Addr().String()
	_ = free.Close()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	certFile, keyFile := writePEM(t, n.dir, cert)
	n.conf = filepath.Join(n.dir, "nginx.conf")
	text := fmt.Sprintf(nginxConfig, n.dir, n.addr, certFile, keyFile, broker, user)
	if err := os.WriteFile(n.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return n
}

// start returns when nginx answers; stop ends it and all its connections.
func (n *nginx) start(t *testing.T) (stop func()) {
	t.Helper()
	cmd := exec.Command(n.bin, "-c", n.conf, "-p", n.dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		})
	}
	t.Cleanup(stop)
	for range 200 {
		if c, err := net.Dial("tcp", n.addr); err == nil {
			_ = c.Close()
			return stop
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("nginx did not start")
	return nil
}

// Behind a real reverse proxy streams work, and survive its restart.
func TestThroughNginx(t *testing.T) {
	w := newWorld(t, quick, Options{})
	cert, roots := certificate(t)
	n := newNginx(t, w.addr, cert)
	stop := n.start(t)
	w.dialer.URL = &url.URL{Scheme: "https", Host: n.addr, Path: "/hoop/"}
	w.dialer.TLS = &tls.Config{RootCAs: roots, ServerName: "broker.test"}
	c, s := w.open(t)
	if _, err := c.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s, make([]byte, 1<<19)); err != nil {
		t.Fatal(err)
	}
	stop()
	n.start(t)
	if _, err := io.ReadFull(s, make([]byte, 1<<19)); err != nil {
		t.Fatal(err)
	}
	exchangeBoth(t, c, s, 2<<20, 64<<10)
	if got := w.srv.Stats().Resumed; got == 0 {
		t.Error("the stream was not resumed")
	}
}
