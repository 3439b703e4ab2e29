package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hoop/recorder"
)

var crashes = flag.Int("crashes", 5, "how often TestCrash kills the broker; make crash says 100")

const allowAlice = `
rules:
- {name: everything, who: {names: [alice@demo.example]}, actions: ["*"], effect: allow}
`

// The broker is killed under load, again and again. Whatever the target ran is
// in the audit log, and the log is whole.
func TestCrash(t *testing.T) {
	w := upApart(t, allowAlice)
	// The demo's target keeps its log short; here it must tell of each statement.
	for _, sql := range []string{"alter system set log_min_messages = log", "select pg_reload_conf()", "create table marks (mark text); grant all on marks to app"} {
		if _, err := w.Postgres.Exec(t.Context(), "shop", sql); err != nil {
			t.Fatal(err)
		}
	}
	through := w.listen("alice", Connection)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var round, answered, reconnects atomic.Int64
	for client := range 8 {
		load.Go(func() { loader(ctx, through.String(), client, &round, &answered, &reconnects) })
	}
	for range *crashes {
		round.Add(1)
		enough := answered.Load() + 20 + rand.Int64N(200) //nolint:gosec // chance is the point, not secrecy
		for wait := 0; answered.Load() < enough && wait < 30000; wait++ {
			time.Sleep(time.Millisecond)
		}
		w.kill()
		within(t, time.Minute, w.command("alice", "audit", "verify", "--config", w.path("hoop.yaml")))
		w.start()
	}
	stop()
	load.Wait()
	w.kill()
	t.Log(within(t, time.Minute, w.command("alice", "audit", "verify", "--config", w.path("hoop.yaml"))))
	w.quiesce(t)
	ran, kept := marksRan(t, w.Postgres.LogFile), marksKept(t, w.path("data/audit"))
	missing := 0
	for mark := range ran {
		if !kept[mark] {
			missing++
			t.Errorf("the target ran %s, which the audit log does not have", mark)
		}
	}
	t.Logf("%d crashes, %d answered requests, %d reconnects: the target ran %d marked statements, the audit log has %d, %d are missing in it",
		*crashes, answered.Load(), reconnects.Load(), len(ran), len(kept), missing)
	if len(ran) < 20**crashes {
		t.Errorf("the target ran only %d statements: that is no load", len(ran))
	}
}

// quiesce waits until the target has ended what it ran for the killed broker.
func (w *apart) quiesce(t *testing.T) {
	for range 600 {
		if n, err := w.Postgres.Exec(t.Context(), "shop", "select count(*) from pg_stat_activity where usename = 'app'"); err != nil {
			t.Fatal(err)
		} else if strings.TrimSpace(n) == "0" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the target still runs statements of the killed broker")
}

// loader asks without pause, in every way there is, and comes back after each
// crash.
func loader(ctx context.Context, conn string, client int, round, answered, reconnects *atomic.Int64) {
	var c *pgx.Conn
	defer func() { _ = c }()
	for n := 0; ctx.Err() == nil; n++ {
		if c == nil {
			var err error
			if c, err = dial(ctx, conn); err != nil {
				time.Sleep(20 * time.Millisecond)
				continue
			}
			reconnects.Add(1)
		}
		mark := fmt.Sprintf("mark_%d_%d_%d_", round.Load(), client, n)
		if err := ask(ctx, c, n, mark); err != nil {
			end(c)
			c = nil
			continue
		}
		answered.Add(1)
	}
	if c != nil {
		end(c)
	}
}

func dial(ctx context.Context, conn string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return pgx.Connect(ctx, conn)
}

func end(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}

// ask sends statements, each with a mark of its own in its text.
func ask(ctx context.Context, c *pgx.Conn, n int, mark string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var err error
	switch n % 5 {
	case 0:
		_, err = c.PgConn().Exec(ctx, "select count(*) /* "+mark+"a */ from orders").ReadAll()
	case 1:
		_, err = c.Exec(ctx, "insert into marks /* "+mark+"a */ values ($1)", pgx.QueryExecModeExec, mark)
	case 2:
		b := &pgx.Batch{}
		for _, sql := range []string{"insert into marks /* %sa */ values ($1)", "update marks /* %sb */ set mark = mark where mark = $1", "select mark /* %sc */ from marks where mark = $1"} {
			b.Queue(fmt.Sprintf(sql, mark), mark)
		}
		err = c.SendBatch(ctx, b).Close()
	case 3:
		_, err = c.PgConn().Exec(ctx, fmt.Sprintf("insert into marks /* %[1]sa */ values ('x'); select 1 /* %[1]sb */; delete from marks /* %[1]sc */ where mark = 'x'", mark)).ReadAll()
	case 4:
		var rows pgx.Rows
		if rows, err = c.Query(ctx, "select id /* "+mark+"a */ from orders where id < $1", 100); err == nil {
			rows.Close()
			err = rows.Err()
		}
	}
	return err
}

var mark = regexp.MustCompile(`mark_\d+_\d+_\d+_[abc]`)

// marksRan are the marks of statements that PostgreSQL says it executed. The
// lines after the first of a message belong to it.
func marksRan(t *testing.T, logFile string) map[string]bool {
	log, err := os.ReadFile(logFile)
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	for _, line := range strings.Split(string(log), "\n") {
		if strings.Contains(line, "LOG:  statement:") || strings.Contains(line, "LOG:  execute") {
			for _, m := range mark.FindAllString(line, -1) {
				ran[m] = true
			}
		}
	}
	return ran
}

// marksKept are the marks of statements that the audit log says were allowed.
func marksKept(t *testing.T, dir string) map[string]bool {
	kept := map[string]bool{}
	err := recorder.Scan(dir, 0, func(ev *recorder.Event) error {
		if ev.Type != recorder.ActionDecided {
			return nil
		}
		if ev.Verdict == nil || ev.Principal == nil || ev.Principal.Name == "" {
			return errors.New("a decided event without verdict or principal")
		}
		for _, m := range mark.FindAllString(ev.Text, -1) {
			kept[m] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}
