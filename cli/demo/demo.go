// Package demo brings up a whole world in one process and one folder: a
// PostgreSQL with a small shop, an SSH server where the machine has one, an
// OpenID issuer with three people, and a broker between them.
//
// # Scope
//
// It is for trying and testing. Everything in it is real; nothing in it is
// meant to last: the folder goes when the world does.
package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed" // what the world is made from
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"text/template"
	"time"

	"hoop/broker/config"
	"hoop/broker/credential"
	"hoop/broker/issuer"
	"hoop/cli/demo/pg"
	"hoop/cli/demo/sshd"
	"hoop/cli/serve"
	"hoop/cli/setup"
)

//go:embed shop.sql
var shopSQL string

//go:embed hoop.yaml.tmpl
var configTemplate string

//go:embed policy.yaml
var policyYAML []byte

// Connection is the name of the demo's connection.
const Connection = "demo-pg"

// SignIn logs a person in to a broker, for the client folder in dir. open is
// called with the URL that a browser would open.
type SignIn func(ctx context.Context, dir, brokerURL, caFile string, open func(url string) error) error

// Options says what the world should have besides.
type Options struct {
	// Init are SQL files, loaded as superuser.
	Init []string
	// Overlays are configuration files whose rules come first.
	Overlays []string
	SignIn   SignIn
	Version  string
	// Progress gets a line for each step.
	Progress io.Writer
}

// World is everything, running.
type World struct {
	Dir      string
	Postgres *pg.Server
	SSH      *sshd.Server // nil where the machine has none
	Broker   *serve.Instance
	People   []Person
	logFile  *os.File
}

// Person is somebody who can sign in.
type Person struct {
	Name     string
	FullName string
	Groups   []string
	Password string
	Dir      string // client folder
}

// Up brings the world up. The caller ends it with Down.
func Up(ctx context.Context, o Options) (_ *World, err error) {
	dir, err := os.MkdirTemp("", "hoop-demo-")
	if err != nil {
		return nil, fmt.Errorf("make the demo's folder: %w", err)
	}
	w := &World{Dir: dir}
	defer func() {
		if err != nil {
			w.Down()
		}
	}()
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	for _, step := range []struct {
		say string
		do  func(context.Context, *Options) error
	}{
		{"starting PostgreSQL", w.startPostgres},
		{"starting an SSH server", w.startSSH},
		{"starting the broker and the issuer", w.startBroker},
		{"signing in alice, bob and mallory", w.signIn},
	} {
		_, _ = fmt.Fprintln(o.Progress, "demo:", step.say)
		if err := step.do(ctx, &o); err != nil {
			return nil, fmt.Errorf("%s: %w", step.say, err)
		}
	}
	return w, nil
}

// Down ends everything and removes the folder.
func (w *World) Down() {
	if w.Broker != nil {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		w.Broker.Stop(now)
	}
	if w.Postgres != nil {
		_ = w.Postgres.Stop()
	}
	if w.SSH != nil {
		_ = w.SSH.Stop()
	}
	if w.logFile != nil {
		_ = w.logFile.Close()
	}
	_ = os.RemoveAll(w.Dir)
}

func (w *World) path(name string) string { return filepath.Join(w.Dir, name) }

func (w *World) write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o700); err != nil {
		return err
	}
	return os.WriteFile(w.path(name), data, 0o600)
}

func (w *World) startPostgres(ctx context.Context, o *Options) error {
	cert, err := setup.NewCertificate([]string{"127.0.0.1", "localhost"})
	if err != nil {
		return err
	}
	err = errors.Join(w.write("pg-tls/ca.pem", cert.CA), w.write("pg-tls/server.pem", cert.Cert), w.write("pg-tls/server-key.pem", cert.Key))
	if err != nil {
		return err
	}
	w.Postgres, err = pg.Start(ctx, pg.Options{
		Settings: map[string]string{"max_connections": "1200", "shared_buffers": "256MB", "log_statement": "all", "log_min_messages": "fatal"},
		TLS:      &pg.TLS{CertFile: w.path("pg-tls/server.pem"), KeyFile: w.path("pg-tls/server-key.pem")},
	})
	if err != nil {
		return err
	}
	app := rand.Text()
	err = errors.Join(w.write("secrets/app", []byte(app)), w.write("secrets/postgres", []byte(w.Postgres.Password)), w.writeTargetEnv())
	if err != nil {
		return err
	}
	if _, err := w.Postgres.Exec(ctx, "postgres", "CREATE ROLE app LOGIN PASSWORD '"+app+"'; CREATE DATABASE shop OWNER app;"); err != nil {
		return err
	}
	if _, err := w.Postgres.Exec(ctx, "shop", shopSQL); err != nil {
		return err
	}
	for _, file := range o.Init {
		if err := w.Postgres.ExecFile(ctx, "shop", file); err != nil {
			return err
		}
	}
	return nil
}

// writeTargetEnv tells tests how to reach the target without the broker.
func (w *World) writeTargetEnv() error {
	p := w.Postgres
	return w.write("target.env", fmt.Appendf(nil,
		"PGHOST=%s\nPGPORT=%d\nPGUSER=%s\nPGPASSWORD=%s\nPGDATABASE=shop\nPGSOCKETDIR=%s\nPGLOGFILE=%s\n",
		p.Host, p.Port, p.Superuser, p.Password, p.SocketDir, p.LogFile))
}

func (w *World) startBroker(ctx context.Context, o *Options) error {
	t, err := template.New("").Parse(configTemplate)
	if err != nil {
		return err
	}
	var cfg bytes.Buffer
	if err := t.Execute(&cfg, map[string]any{"Port": w.Postgres.Port, "SSH": w.SSH}); err != nil {
		return err
	}
	cert, err := setup.NewCertificate([]string{"127.0.0.1", "localhost"})
	if err != nil {
		return err
	}
	err = errors.Join(w.write("hoop.yaml", cfg.Bytes()), w.write("policy.yaml", policyYAML),
		w.write("tls/ca.pem", cert.CA), w.write("tls/broker.pem", cert.Cert), w.write("tls/broker-key.pem", cert.Key), w.writeUsers())
	if err != nil {
		return err
	}
	if w.logFile, err = os.OpenFile(w.path("broker.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	loaded, err := config.Load(w.path("hoop.yaml"), o.Overlays...)
	if err != nil {
		return err
	}
	w.Broker, err = serve.Start(ctx, serve.Options{
		Config: loaded, Overlays: o.Overlays, Version: o.Version, Logger: slog.New(slog.NewTextHandler(w.logFile, nil)),
		Ask: func() (credential.Secret, error) {
			return credential.Secret{}, errors.New("the demo has no passphrase")
		},
	})
	if err != nil {
		return err
	}
	return w.trustBroker()
}

func (w *World) writeUsers() error {
	w.People = []Person{
		{Name: "alice", FullName: "Alice Engineer", Groups: []string{"engineer"}},
		{Name: "bob", FullName: "Bob Approver", Groups: []string{"approver"}},
		{Name: "mallory", FullName: "Mallory Nobody", Groups: []string{}},
	}
	for i := range w.People {
		p := &w.People[i]
		p.Password, p.Dir = rand.Text(), w.path(p.Name)
		hash, err := issuer.HashPassword(p.Password)
		if err != nil {
			return err
		}
		u := issuer.User{Name: p.Name, FullName: p.FullName, Email: p.Name + "@demo.example", Password: hash, Groups: p.Groups}
		if err := issuer.SetUser(w.path("users.yaml"), u); err != nil {
			return err
		}
	}
	return nil
}

// BrokerURL is where clients reach the broker.
func (w *World) BrokerURL() string { return "https://" + w.Broker.Addr().String() }

// CAFile is the authority that clients must trust.
func (w *World) CAFile() string { return w.path("tls/ca.pem") }

func (w *World) signIn(ctx context.Context, o *Options) error {
	for _, p := range w.People {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		err := o.SignIn(ctx, p.Dir, w.BrokerURL(), w.CAFile(), func(url string) error {
			go func() { _ = visit(ctx, url, p.Name, p.Password) }() // a browser does not make its opener wait
			return nil
		})
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		if err := os.WriteFile(filepath.Join(p.Dir, "password"), []byte(p.Password+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Env is how a command in the world finds it, as one of its people.
func (w *World) Env(person string) []string {
	self, _ := os.Executable()
	return []string{
		"HOOP_CONFIG_DIR=" + w.path(person), "HOOP_DEMO_DIR=" + w.Dir, "HOOP_KEYRING=file",
		"PATH=" + filepath.Dir(self) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOOP_DEMO_PG_PORT=" + strconv.Itoa(w.Postgres.Port),
	}
}
