package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"hoop/broker"
)

// login connects to the target of a world, with its own session.
func (w *world) login(t *testing.T) (*upstream, error) {
	t.Helper()
	up, err := w.engine.connect(t.Context(), w.session("alice", "pg"), "postgres", nil)
	if up != nil {
		t.Cleanup(up.close)
	}
	return up, err
}

func TestLoginAtTheTarget(t *testing.T) {
	server := testServer(t)
	socket := filepath.Join(server.SocketDir, fmt.Sprintf(".s.PGSQL.%d", server.Port))
	ca, cert, key := certFile("ca.crt"), certFile("client.crt"), certFile("client.key")
	full, none := broker.TargetTLS{CAFile: ca}, broker.TargetTLS{Mode: "disable"}
	for _, tt := range []struct {
		name, user, password string
		tls                  broker.TargetTLS
		socket               string
		want                 string // part of the error; "" for success
	}{
		{name: "scram with channel binding", user: "app", password: rolePassword, tls: full},
		{name: "scram, verify-ca", user: "app", password: rolePassword, tls: broker.TargetTLS{Mode: "verify-ca", CAFile: ca}},
		{name: "scram, require", user: "app", password: rolePassword, tls: broker.TargetTLS{Mode: "require"}},
		{name: "scram in clear", user: "app", password: rolePassword, tls: none},
		{name: "scram over a socket", user: "app", password: rolePassword, socket: socket},
		{name: "scram, wrong password", user: "app", password: "wrong-pw", tls: full, want: "does not accept the broker's credential"},
		{name: "scram, no password", user: "app", tls: full, want: "has none"},
		{name: "md5", user: "md5_user", password: rolePassword, tls: none},
		{name: "md5, wrong password", user: "md5_user", password: "wrong-pw", tls: none, want: "does not accept the broker's credential"},
		{name: "trust", user: "trust_user", tls: full},
		{name: "cleartext over verified TLS", user: "clear_user", password: rolePassword, tls: full},
		{name: "cleartext over a socket", user: "clear_user", password: rolePassword, socket: socket},
		{name: "cleartext over unverified TLS", user: "clear_user", password: rolePassword,
			tls: broker.TargetTLS{Mode: "require"}, want: "not verified TLS"},
		{name: "cleartext in clear", user: "clear_user", password: rolePassword, tls: none, want: "not verified TLS"},
		{name: "certificate", user: "cert_user", tls: broker.TargetTLS{CAFile: ca, CertFile: cert, KeyFile: key}},
		{name: "no certificate", user: "cert_user", tls: full, want: "does not accept the broker's credential"},
		{name: "no user", tls: full, want: "no credential"},
		{name: "unknown CA", user: "app", password: rolePassword, want: "certificate signed by unknown authority"},
		{name: "another name", user: "app", password: rolePassword,
			tls: broker.TargetTLS{CAFile: ca, ServerName: "db.example"}, want: "db.example"},
		{name: "another name, verify-ca", user: "app", password: rolePassword,
			tls: broker.TargetTLS{Mode: "verify-ca", CAFile: ca, ServerName: "db.example"}},
		{name: "unknown CA, verify-ca", user: "app", password: rolePassword,
			tls: broker.TargetTLS{Mode: "verify-ca", CAFile: cert}, want: "unknown authority"},
		{name: "unknown mode", user: "app", password: rolePassword, tls: broker.TargetTLS{Mode: "prefer"}, want: "unknown TLS mode"},
		{name: "no CA file", user: "app", password: rolePassword, tls: broker.TargetTLS{CAFile: "/nowhere"}, want: "read the target's CA"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.secret = broker.Secret{User: tt.user, Password: tt.password}
			w.target.TLS, w.target.Socket = tt.tls, tt.socket
			up, err := w.login(t)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if up.pid == 0 || len(up.secret) != 4 || up.raw == nil || up.params["session_authorization"] != tt.user {
					t.Errorf("got %d, %x, %v, %v", up.pid, up.secret, up.raw, up.params)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
			if tt.password != "" && strings.Contains(err.Error()+w.log.String(), tt.password) {
				t.Errorf("the password shows: %v\n%s", err, w.log.String())
			}
		})
	}
}

// The second login of a credential uses the keys that the first derived, and a
// changed password or salt is noticed.
func TestDerivedKeysAreKept(t *testing.T) {
	server, w := testServer(t), newWorld(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := server.Exec(t.Context(), "postgres", sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("create role rotating login password 'one'")
	t.Cleanup(func() { _, _ = server.Exec(context.Background(), "postgres", "drop role rotating") })
	logins := func(password string, want bool, entries int) {
		t.Helper()
		w.secret = broker.Secret{User: "rotating", Password: password}
		if _, err := w.login(t); (err == nil) != want {
			t.Errorf("password %s: %v", password, err)
		}
		if n := len(w.engine.scram.entries); n != entries {
			t.Errorf("%d credentials are kept after password %s, want %d", n, password, entries)
		}
	}
	logins("one", true, 1)
	var kept = w.engine.scram.entries
	for _, e := range kept {
		logins("one", true, 1)
		if again, _, _ := w.engine.scram.client("rotating", "one"); again != e.client {
			t.Error("the keys were derived twice")
		}
	}
	exec("alter role rotating password 'one'") // same password, another salt
	logins("one", true, 0)
	logins("one", true, 1)
	exec("alter role rotating password 'two'")
	logins("one", false, 1)
	logins("two", true, 2)
}

// What the client reads when the target is not to be had says so, and not more.
func TestClientIsToldOfTheTarget(t *testing.T) {
	for name, tt := range map[string]struct {
		change     func(w *world)
		code, want string
	}{
		"credential": {func(w *world) { w.secret.Password = "wrong-pw" }, "08001", "does not accept"},
		"no server":  {func(w *world) { w.target.Port = 1 }, "08006", "unavailable"},
		"database":   {func(w *world) { w.target.Database, w.target.Databases = "absent", []string{"postgres"} }, "3D000", "absent"},
		"no store": {func(w *world) {
			w.deps.Secret = func(context.Context, string) (*broker.Secret, error) { return nil, os.ErrNotExist }
		}, "08006", "credential is unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tt.change(w)
			at := w.connString("")
			if name == "database" {
				at = strings.Replace(at, "dbname=postgres", "dbname=absent", 1)
			}
			_, err := pgconn.Connect(t.Context(), at)
			var pe *pgconn.PgError
			if !errors.As(err, &pe) || pe.Severity != "FATAL" || pe.Code != tt.code || !strings.Contains(pe.Message, tt.want) {
				t.Fatalf("got %v, want a fatal %s with %q", err, tt.code, tt.want)
			}
			if shown := fmt.Sprintf("%+v", *pe); strings.Contains(shown, "wrong-pw") || strings.Contains(shown, rolePassword) {
				t.Errorf("the client reads %s", shown)
			}
		})
	}
}
