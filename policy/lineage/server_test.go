package lineage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"hoop/cli/demo/pg"
	"hoop/policy"
)

// server is the real PostgreSQL of this package's tests, with the reference
// schema in the database shop.
var server *pg.Server

func TestMain(m *testing.M) {
	code, err := runWithServer(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runWithServer(m *testing.M) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	server, err = pg.Start(ctx, pg.Options{Settings: map[string]string{"log_min_messages": "fatal", "shared_buffers": "32MB"}})
	if err != nil {
		return 1, err
	}
	defer func() { _ = server.Stop() }()
	if _, err := server.Exec(ctx, "postgres", "create database shop"); err != nil {
		return 1, err
	}
	if err := server.ExecFile(ctx, "shop", "../../testdata/evasion/schema.sql"); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

var shopLabels = []policy.ColumnLabel{
	{Schema: "public", Table: "customers", Column: "ssn", Label: "pii.ssn"},
	{Schema: "public", Table: "customers", Column: "card_number", Label: "pci.pan"},
	{Schema: "public", Table: "payments", Column: "card_pan", Label: "pci.pan"},
	{Schema: "public", Table: "payments", Column: "cvv", Label: "pci.cvv"},
}

// client is a session with the server that keeps the trees it is sent.
type client struct {
	t     testing.TB
	conn  *pgconn.PgConn
	trees []string
	texts []string // of all other notices
}

func connect(t testing.TB, database, role string) *client {
	t.Helper()
	c := &client{t: t}
	cfg, err := pgconn.ParseConfig(server.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	if role != server.Superuser {
		cfg.RuntimeParams["role"] = role
	}
	cfg.RuntimeParams["client_min_messages"] = "log"
	cfg.RuntimeParams["debug_pretty_print"] = "off"
	cfg.RuntimeParams["debug_print_rewritten"] = "on"
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.Message == "rewritten parse tree:" && n.Routine == "elog_node_display" {
			c.trees = append(c.trees, n.Detail)
			return
		}
		c.texts = append(c.texts, n.Message+n.Detail+n.Hint+n.Where)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if c.conn, err = pgconn.ConnectConfig(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.conn.Close(context.Background()) })
	return c
}

// Rows and Trees make a client a Querier.
func (c *client) Rows(ctx context.Context, query string, f func([]string)) error {
	results, err := c.conn.Exec(ctx, query).ReadAll()
	if err != nil {
		return err
	}
	for _, row := range results[0].Rows {
		fields := make([]string, len(row))
		for i := range row {
			fields[i] = string(row[i])
		}
		f(fields)
	}
	return nil
}

func (c *client) Trees(ctx context.Context, query string) ([]string, error) {
	c.trees = nil
	_, err := c.conn.Exec(ctx, query).ReadAll()
	return c.trees, err
}

// parse gives the tree that the server makes of a statement.
func (c *client) parse(query string) (string, error) {
	c.trees = nil
	if _, err := c.conn.Prepare(context.Background(), "", query, nil); err != nil {
		return "", err
	}
	if len(c.trees) != 1 {
		return "", fmt.Errorf("%d trees", len(c.trees))
	}
	return c.trees[0], nil
}

func loadShop(t testing.TB, database string) *Catalog {
	t.Helper()
	c, err := Load(context.Background(), connect(t, database, server.Superuser), shopLabels, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func analyse(t testing.TB, cat *Catalog, c *client, query string, p Purpose) *Facts {
	t.Helper()
	tree, err := c.parse(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	f, err := cat.Analyse(tree, p)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return f
}

// message is the text of an error that a client would be shown.
func message(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return strings.Join([]string{e.Message, e.Detail, e.Hint, e.Where, e.InternalQuery}, " ")
	}
	return ""
}
