package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"hoop/broker"
)

// A function gives the name of a statement that Parse made to another.
func TestNamesAreAskedForAfterBlindCode(t *testing.T) {
	newRange(t, t.TempDir())
	w := relayWorld(t, shopPolicy(false))
	w.target.Database = "shop"
	w.secret = broker.Secret{User: "app_user", Password: rolePassword}
	dir, port := w.listen()
	ctx := context.Background()
	c, err := pgconn.Connect(ctx, "host="+dir+" port="+port+" user=any dbname=shop")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	run := func(text string) {
		if _, err := c.Exec(ctx, text).ReadAll(); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	run(`CREATE FUNCTION swap() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DEALLOCATE taken';
 EXECUTE 'PREPARE taken AS SELECT reverse(ssn) FROM customers WHERE id = 1'; RETURN 1; END $$`)
	for _, name := range []string{"taken", "kept"} {
		if _, err := c.Prepare(ctx, name, "SELECT title FROM products ORDER BY id LIMIT 1", nil); err != nil {
			t.Fatal(err)
		}
	}
	run("SELECT swap()")
	if r := c.ExecPrepared(ctx, "taken", nil, nil, nil).Read(); r.Err == nil || len(r.Rows) > 0 {
		t.Errorf("the statement that took the name gave %q", r.Rows)
	}
	if r := c.ExecPrepared(ctx, "kept", nil, nil, nil).Read(); r.Err != nil || len(r.Rows) != 1 || string(r.Rows[0][0]) != "Lamp" {
		t.Errorf("a name that nobody took: %q, %v", r.Rows, r.Err)
	}
	if got := w.log.String(); strings.Contains(got, "9876") {
		t.Errorf("the log has the value: %s", got)
	}
}
