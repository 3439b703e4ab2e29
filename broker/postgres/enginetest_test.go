package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"hoop/broker"
	"hoop/broker/enginetest"
)

// TestPromises runs the suite that every engine runs. The way to the target is
// not encrypted: spoiled bytes must reach the engine, not its TLS.
func TestPromises(t *testing.T) {
	server := testServer(t)
	superuser(t, `drop role if exists suite; create role suite login password '`+rolePassword+`'; alter role suite set log_min_messages = log`)
	const wrong = "wr0ng-Wort-§"
	enginetest.Run(t, enginetest.World{
		Protocol: "postgres",
		Target: enginetest.Target{
			Where:  broker.Target{Host: server.Host, Port: server.Port, Database: "postgres", TLS: broker.TargetTLS{Mode: "disable"}},
			Secret: broker.Secret{User: "suite", Password: rolePassword}, Wrong: broker.Secret{User: "suite", Password: wrong},
			Hidden: []string{rolePassword, wrong}, Log: statementLog(server.LogFile),
		},
		Engine: func(o enginetest.Options) broker.Engine {
			a, err := analyzer()
			if err != nil {
				t.Fatal(err)
			}
			return New(Options{Analyzer: a, Logger: o.Logger, HandshakeTimeout: o.Handshake})
		},
		Client: pgconnClients{}, Actions: statements{},
		Garbage: []string{
			"\x00\x00\x00\x03", "\x7f\xff\xff\xff", "\xff\xff\xff\xff\x00\x03\x00\x00", "\x00\x00\x00\x08\x04\xd2\x16\x2f\x00\x00\x00\x08\x04\xd2\x16\x2f",
			"\x00\x00\x00\x09\x00\x03\x00\x00\x00Q\x00\x00\x00\x05\x00", "\x00\x00\x00\x09\x00\x03\x00\x00\x00Q\x7f\xff\xff\xff", "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x00\x00\x00\x00\x00",
		},
	})
}

// statements words actions in SQL.
type statements struct{}

func (statements) Print(mark string) string { return fmt.Sprintf("select '%s'", mark) }
func (statements) Wait(mark string) string  { return fmt.Sprintf("select pg_sleep(600), '%s'", mark) }
func (statements) Flood(mark string) string {
	return fmt.Sprintf("select generate_series(1, 1000000000), '%s'", mark)
}
func (statements) Puzzle(mark string) string { return fmt.Sprintf("selekt '%s' (", mark) }

// statementLog is the log of a PostgreSQL with log_statement = all.
type statementLog string

var logged = regexp.MustCompile(`(?m)LOG:  (?:statement|execute [^:]+): (.*)$`)

// Ran gives the statements with a mark that the server began with; those of
// this suite are of one line. Planning one for a preview does not run it.
func (l statementLog) Ran(mark string) ([]string, error) {
	text, err := os.ReadFile(string(l))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, m := range logged.FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(m[1], mark) && !strings.HasPrefix(m[1], "EXPLAIN select") {
			out = append(out, m[1])
		}
	}
	return out, nil
}

// pgconnClients connects with pgx's protocol client.
type pgconnClients struct{}

func (pgconnClients) Connect(ctx context.Context, w *enginetest.Way) (enginetest.Client, error) {
	c, err := pgconn.ParseConfig("host=127.0.0.1 user=anybody dbname=postgres sslmode=disable")
	if err != nil {
		return nil, err
	}
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return w.Dial(ctx) }
	c.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { w.Told(n.Message + "\n" + n.Hint) }
	// As psql does for Ctrl-C.
	c.BuildContextWatcherHandler = func(pc *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: pc, DeadlineDelay: time.Minute}
	}
	pc, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return nil, refusalIn(err)
	}
	return &pgconnClient{pc}, nil
}

type pgconnClient struct{ conn *pgconn.PgConn }

// Do runs a statement with the simple query protocol.
func (c *pgconnClient) Do(ctx context.Context, text string) (string, error) {
	results, err := c.conn.Exec(ctx, text).ReadAll()
	var out strings.Builder
	for _, r := range results {
		for _, row := range r.Rows {
			for _, cell := range row {
				out.Write(cell)
				out.WriteByte('\t')
			}
		}
	}
	return out.String(), refusalIn(err)
}

// Ended reads what comes without having asked.
func (c *pgconnClient) Ended(ctx context.Context) error {
	for {
		if err := c.conn.WaitForNotification(ctx); err != nil {
			return refusalIn(err)
		}
	}
}

func (c *pgconnClient) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return c.conn.Close(ctx)
}

// refusalIn finds an ErrorResponse in an error.
func refusalIn(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return &enginetest.RefusedError{Text: e.Code + " " + e.Message + "\n" + e.Detail + "\n" + e.Hint}
	}
	return err
}
