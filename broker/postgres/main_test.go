package postgres

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hoop/broker"
	"hoop/cli/demo/pg"
	"hoop/policy"
	"hoop/policy/sql"
	"hoop/recorder"
)

// shared is the real PostgreSQL that the tests of this package use, started
// by the first that asks.
var shared struct {
	once  sync.Once
	dir   string // holds ca.crt, client.crt, client.key
	pg    *pg.Server
	start error
}

func TestMain(m *testing.M) {
	if sql.IsWorker(os.Args) {
		if err := sql.WorkerMain(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if shared.pg != nil {
		if err := shared.pg.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	_ = os.RemoveAll(shared.dir)
	os.Exit(code)
}

// Each way to log in has a role named after it; all have this password.
const rolePassword = "pa55-Wort-€"

var roleSQL = fmt.Sprintf(`
	create role app login password '%[1]s'; grant pg_signal_backend to app;
	create role trust_user login; create role clear_user login password '%[1]s'; create role cert_user login;
	set password_encryption = 'md5'; create role md5_user login password '%[1]s';
	create database other; create database hidden;
	grant create on schema public to public`, rolePassword)

// testServer gives the shared PostgreSQL: TLS on, one role per authentication
// method.
func testServer(t testing.TB) *pg.Server {
	t.Helper()
	shared.once.Do(func() { shared.start = startShared() })
	if shared.start != nil {
		t.Fatal(shared.start)
	}
	return shared.pg
}

func startShared() error {
	var err error
	if shared.dir, err = os.MkdirTemp("", "hoop-test-"); err != nil {
		return err
	}
	if err := makeCertificates(shared.dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	shared.pg, err = pg.Start(ctx, pg.Options{
		TLS: &pg.TLS{CertFile: certFile("server.crt"), KeyFile: certFile("server.key"), CAFile: certFile("ca.crt")},
		HBA: []string{
			"host all trust_user 127.0.0.1/32 trust", "host all md5_user 127.0.0.1/32 md5",
			"host all clear_user 127.0.0.1/32 password", "local all clear_user password",
			"hostssl all cert_user 127.0.0.1/32 cert",
		},
		Settings: map[string]string{"log_statement": "all", "max_connections": "700", "log_min_messages": "fatal"},
	})
	if err != nil {
		return err
	}
	_, err = shared.pg.Exec(ctx, "postgres", roleSQL)
	return err
}

func certFile(name string) string { return filepath.Join(shared.dir, name) }

// makeCertificates makes a CA, a server certificate for 127.0.0.1 and a client
// certificate for cert_user.
func makeCertificates(dir string) error {
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caKey, err := makeCertificate(dir, "ca", ca, ca, nil)
	if err != nil {
		return err
	}
	server := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	client := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "cert_user"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	_, serr := makeCertificate(dir, "server", server, ca, caKey)
	_, cerr := makeCertificate(dir, "client", client, ca, caKey)
	return errors.Join(serr, cerr)
}

func makeCertificate(dir, name string, cert, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if issuerKey == nil {
		issuerKey = key
	}
	cert.NotBefore, cert.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, cert, issuer, &key.PublicKey, issuerKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	write := func(file, kind string, data []byte) error {
		return os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600)
	}
	return key, errors.Join(write(name+".crt", "CERTIFICATE", der), write(name+".key", "PRIVATE KEY", keyDER))
}

// world is an engine and everything around it that a test may change before it
// listens.
type world struct {
	t      testing.TB
	engine *Engine
	policy *policy.Policy
	target broker.Target
	secret broker.Secret
	deps   broker.Deps
	events events
	log    lockedBuilder
}

// newWorld makes an engine that leads to the shared PostgreSQL as role app,
// under the given policy documents, or one that allows all.
func newWorld(t testing.TB, docs ...policy.Document) *world {
	t.Helper()
	server := testServer(t)
	if len(docs) == 0 {
		docs = []policy.Document{{Rules: []policy.RuleSpec{{Name: "all", Effect: "allow"}}}}
	}
	p, err := policy.Compile(docs)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, policy: p, secret: broker.Secret{User: "app", Password: rolePassword}}
	w.target = broker.Target{Host: server.Host, Port: server.Port, Database: "postgres", Databases: []string{"other"},
		TLS: broker.TargetTLS{CAFile: certFile("ca.crt")}}
	w.deps = broker.Deps{
		Policy:   func() *policy.Policy { return w.policy },
		Recorder: &w.events,
		Dial: func(ctx context.Context, tg *broker.Target) (net.Conn, error) {
			if tg.Socket != "" {
				return (&net.Dialer{}).DialContext(ctx, "unix", tg.Socket)
			}
			return (&net.Dialer{}).DialContext(ctx, "tcp", tg.Address())
		},
		Secret:  func(context.Context, string) (*broker.Secret, error) { s := w.secret; return &s, nil },
		MaskKey: func(string) []byte { return make([]byte, 32) },
	}
	w.engine = New(Options{Analyzer: testAnalyzer(t), Logger: slog.New(slog.NewTextHandler(&w.log, nil))})
	return w
}

func testAnalyzer(testing.TB) Analyzer { return firstWord{} }

type firstWord struct{}

func (firstWord) Statements(_ context.Context, text string) []sql.Statement {
	return []sql.Statement{{Text: text, Facts: &policy.SQL{Kind: strings.ToLower(strings.Fields(text)[0])}}}
}

// session makes a session of a person on a connection.
func (w *world) session(person, connection string) *broker.Session {
	return broker.NewSession(w.deps, rand.Text(), &broker.Admission{
		Principal:  &policy.Principal{ID: "test|" + person, Name: person, Kind: policy.Person},
		Chain:      policy.Chain{{ID: "test|" + person, Name: person, Kind: policy.Person}},
		Connection: &policy.Connection{Name: connection, Protocol: "postgres"},
		Target:     &w.target, Client: "test",
	})
}

// listen serves sessions of alice on connection "pg" and gives the directory
// of the socket and a port that names it, as libpq wants them.
func (w *world) listen() (dir, port string) { return w.listenAs("alice", "pg") }

func (w *world) listenAs(person, connection string) (dir, port string) {
	dir, err := os.MkdirTemp("", "hoop-")
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.serve(l, person, connection)
	w.t.Cleanup(func() { os.RemoveAll(dir) })
	return dir, "5432"
}

// serve runs sessions on a listener until the test ends.
func (w *world) serve(l net.Listener, person, connection string) {
	ctx, cancel := context.WithCancelCause(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				s := w.session(person, connection)
				err := w.engine.Serve(ctx, c, s)
				s.Close(fmt.Sprint(err))
			})
		}
	})
	w.t.Cleanup(func() {
		l.Close()
		cancel(errors.New("the test is over"))
		wg.Wait()
	})
}

// connString is a libpq connection string for alice through the engine.
func (w *world) connString(extra string) string {
	dir, port := w.listen()
	return fmt.Sprintf("host=%s port=%s user=anybody dbname=postgres %s", dir, port, extra)
}

// events is a recorder that keeps what it is given.
type events struct {
	mu   sync.Mutex
	all  []recorder.Event
	fail error // returned by Append once set
}

func (e *events) Append(ev *recorder.Event, _ recorder.Durability) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return e.fail
	}
	e.all = append(e.all, *ev)
	return nil
}

func (e *events) Later(ev *recorder.Event) error { return e.Append(ev, recorder.Written) }

// forget lets go of what was kept, as a recorder that writes does.
func (e *events) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = nil
}

// of gives the events of a type so far.
func (e *events) of(typ recorder.Type) []recorder.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []recorder.Event
	for _, ev := range e.all {
		if ev.Type == typ {
			out = append(out, ev)
		}
	}
	return out
}

// lockedBuilder collects a log.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
