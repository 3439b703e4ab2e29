package demo

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Clients that know nothing of hoop see the same through it, byte for byte.
// make compat runs these and more: JDBC, psycopg2 and pgx's own tests.
func TestClientsSeeNoDifference(t *testing.T) {
	compat, err := filepath.Abs("../../testdata/compat")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(hoop(t), "demo", "--config", filepath.Join(compat, "allow.yaml"), "--", //nolint:gosec // the program under test
		filepath.Join(compat, "compare.sh"), "psql", "dump", "pgbench", "node")
	t.Log(within(t, 5*time.Minute, cmd))
}
