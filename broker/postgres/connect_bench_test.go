package postgres

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// BenchmarkConnect opens a session, runs one query and leaves: directly over
// TLS, and through an engine that reaches the same server over TLS.
func BenchmarkConnect(b *testing.B) {
	w := newWorld(b)
	direct := fmt.Sprintf("host=127.0.0.1 port=%d user=app dbname=postgres password=%s sslmode=verify-full sslrootcert=%s",
		w.target.Port, rolePassword, certFile("ca.crt"))
	for name, at := range map[string]string{"direct": direct, "through": w.connString("")} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c, err := pgconn.Connect(b.Context(), at)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Exec(b.Context(), "select 1").ReadAll(); err != nil {
					b.Fatal(err)
				}
				_ = c.Close(context.Background())
			}
		})
	}
}

// BenchmarkLogin logs in at the target over TLS with SCRAM: with keys derived
// before, and as for the first time.
func BenchmarkLogin(b *testing.B) {
	w := newWorld(b)
	for _, kept := range []bool{true, false} {
		b.Run(fmt.Sprintf("kept=%v", kept), func(b *testing.B) {
			for b.Loop() {
				if !kept {
					clear(w.engine.scram.entries)
				}
				up, err := w.engine.connect(b.Context(), w.session("alice", "pg"), "postgres", nil)
				if err != nil {
					b.Fatal(err)
				}
				up.close()
			}
		})
	}
}
