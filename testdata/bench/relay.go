package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
)

// relayCommand makes this program one of the two processes of the relay.
const relayCommand = "relay"

// relayRole logs in with its password in clear: the server offers channel binding
// to the relay's TLS, and libpq refuses that offer on its own plain conn.
const relayRole = "relayed"

// startRelay runs the plain relay: what the topology of client, broker and
// target costs where nobody looks at the bytes.
func (w *world) startRelay(ctx context.Context) (*target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	near, err := freePort()
	if err != nil {
		return nil, err
	}
	far, err := freePort()
	if err != nil {
		return nil, err
	}
	common := []string{relayCommand, "-ca", w.certs.ca, "-cert", w.certs.cert, "-key", w.certs.key}
	server, err := w.start("relay-broker", exec.Command(self, append(common, "-listen", strconv.Itoa(far), "-to", strconv.Itoa(w.pgPort), "-accept-tls", "-postgres")...))
	if err != nil {
		return nil, err
	}
	client, err := w.start("relay-client", exec.Command(self, append(common, "-listen", strconv.Itoa(near), "-to", strconv.Itoa(far))...))
	if err != nil {
		return nil, err
	}
	t := &target{title: "plain Go TLS relay, two processes", port: near, role: relayRole, between: []*process{client, server}, broker: []*process{server}}
	return t, w.await(ctx, client, t.dsn(w))
}

// relay is one process: it accepts, dials with TLS and copies both ways.
type relay struct {
	listen, to int
	accept     *tls.Config // nil accepts plain conns
	dial       *tls.Config
	postgres   bool // ask for TLS as PostgreSQL wants it
}

// runRelay is the main function of such a process.
func runRelay(args []string) int {
	f := flag.NewFlagSet(relayCommand, flag.ExitOnError)
	var ca, cert, key string
	var acceptTLS bool
	var r relay
	f.StringVar(&ca, "ca", "", "authority")
	f.StringVar(&cert, "cert", "", "certificate")
	f.StringVar(&key, "key", "", "its key")
	f.IntVar(&r.listen, "listen", 0, "port to listen on")
	f.IntVar(&r.to, "to", 0, "port to dial")
	f.BoolVar(&acceptTLS, "accept-tls", false, "speak TLS to those who connect")
	f.BoolVar(&r.postgres, "postgres", false, "ask for TLS with an SSLRequest")
	if err := f.Parse(args); err != nil {
		return 2
	}
	if err := r.configure(ca, cert, key, acceptTLS); err == nil {
		err = r.serve()
		fmt.Fprintln(os.Stderr, err)
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

func (r *relay) configure(ca, cert, key string, acceptTLS bool) error {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	r.dial = &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS13}
	if !acceptTLS {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return err
	}
	r.accept = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	return nil
}

func (r *relay) serve() error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.listen)))
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		if r.accept != nil {
			conn = tls.Server(conn, r.accept)
		}
		go r.carry(conn)
	}
}

// carry copies with io.Copy: that is what makes it plain.
func (r *relay) carry(in net.Conn) {
	defer func() { _ = in.Close() }()
	out, err := r.connect()
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
	both.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
	both.Wait()
}

// sslRequest is PostgreSQL's (Message Formats, "SSLRequest").
var sslRequest = [8]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}

func (r *relay) connect() (net.Conn, error) {
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.to)))
	if err != nil {
		return nil, err
	}
	if r.postgres {
		var answer [1]byte
		_, werr := conn.Write(sslRequest[:])
		_, rerr := io.ReadFull(conn, answer[:])
		if err := errors.Join(werr, rerr); err != nil || answer[0] != 'S' {
			_ = conn.Close()
			return nil, fmt.Errorf("the target has no TLS: %w", err)
		}
	}
	return tls.Client(conn, r.dial), nil
}
