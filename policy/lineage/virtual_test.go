package lineage

import (
	"context"
	"testing"
)

// A generated column is not in the tree of a statement as its expression:
// PostgreSQL 18 puts in that of a virtual one only when it plans.
func TestGeneratedColumns(t *testing.T) {
	admin := connect(t, "postgres", server.Superuser)
	if _, err := admin.conn.Exec(context.Background(), "create database generated template shop").ReadAll(); err != nil {
		t.Fatal(err)
	}
	kinds := []string{"stored"}
	if version, err := server.Exec(context.Background(), "postgres", "show server_version_num"); err != nil {
		t.Fatal(err)
	} else if version >= "18" {
		kinds = append(kinds, "virtual")
	}
	for _, kind := range kinds {
		if _, err := server.Exec(context.Background(), "generated", "alter table customers add column turned_"+kind+" text generated always as (reverse(ssn)) "+kind+
			", add column shout_"+kind+" text generated always as (upper(name)) "+kind); err != nil {
			t.Fatal(err)
		}
	}
	cat := loadShop(t, "generated")
	c := connect(t, "generated", server.Superuser)
	for _, kind := range kinds {
		f := analyse(t, cat, c, "SELECT turned_"+kind+", shout_"+kind+" FROM customers", Return)
		v := f.Judge(Rules{})
		if len(v.Columns[0].Labels) != 1 || v.Columns[0].Plain || len(v.Columns[1].Labels) != 0 {
			t.Errorf("%s: %+v", kind, v.Columns)
		}
	}
}
