package postgres

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tool runs one of PostgreSQL's programs and gives what it prints.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(testServer(t).BinDir, name), args...)
	cmd.Env = []string{"LC_ALL=C.UTF-8"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func TestPgDumpIsTheSame(t *testing.T) {
	superuser(t, clientsSQL+`; drop schema if exists dumped cascade; create schema dumped authorization app;
		create table dumped.t (id serial primary key, name text default 'a''b\c', x int[] check (x[1] > 0)); alter table dumped.t owner to app;
		insert into dumped.t (name, x) select E'tab\there ' || i, array[i] from generate_series(1, 100) i;
		create view dumped.v as select name from dumped.t; alter view dumped.v owner to app`)
	args := []string{"--schema=dumped", "--no-owner"}
	w := relayWorld(t)
	token := regexp.MustCompile(`(?m)^\\(un)?restrict .*$`) // random in newer versions
	for _, more := range [][]string{nil, {"--inserts"}} {
		want := token.ReplaceAllString(tool(t, "pg_dump", append(append(args, more...), "-d", direct(t))...), "")
		got := token.ReplaceAllString(tool(t, "pg_dump", append(append(args, more...), "-d", w.connString(""))...), "")
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if !strings.Contains(got, "here 100") {
			t.Errorf("the dump is empty:\n%s", got)
		}
	}
}

func TestPgbenchRuns(t *testing.T) {
	conn := relayWorld(t).connString("")
	superuser(t, "drop table if exists pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers")
	tool(t, "pgbench", "-i", "-q", "-s", "1", conn)
	for _, mode := range []string{"simple", "extended", "prepared"} {
		out := tool(t, "pgbench", "-n", "-c", "4", "-t", "25", "-M", mode, conn)
		if !strings.Contains(out, "100/100") {
			t.Errorf("%s:\n%s", mode, out)
		}
	}
}
