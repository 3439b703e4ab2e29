package demo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// TourOptions says how to show the tour.
type TourOptions struct {
	Out io.Writer
	In  io.Reader
	// Interactive waits for Enter before each step.
	Interactive bool
	Color       bool
}

// step is one command of the tour and what must, and must not, be seen of it.
type step struct {
	title  string
	person string
	args   []string
	exit   int
	shows  []string
	hides  []string
	// meanwhile are the steps of others, once this one waits for an answer.
	meanwhile []step
}

// ErrTour is returned where a step did not show what it should.
var ErrTour = errors.New("the tour did not show what it should")

// Tour shows what hoop does, with real commands, and checks each of them.
func (w *World) Tour(ctx context.Context, o TourOptions) error {
	steps, err := w.steps(ctx)
	if err != nil {
		return err
	}
	in := bufio.NewReader(o.In)
	for n, s := range steps {
		w.announce(o, n+1, len(steps), &s)
		if o.Interactive {
			_, _ = fmt.Fprint(o.Out, dim(o, "  press Enter "))
			if !enter(ctx, in) {
				return context.Cause(ctx)
			}
		}
		if err := w.show(ctx, o, &s); err != nil {
			return fmt.Errorf("step %d, %s: %w", n+1, s.title, err)
		}
	}
	_, err = fmt.Fprintf(o.Out, "\nAll %d steps showed what they should.\nTry your own: hoop demo -- bash, then hoop connect demo-pg\n", len(steps))
	return err
}

// show runs one step, prints what it gave and checks it.
func (w *World) show(ctx context.Context, o TourOptions, s *step) error {
	out, code, err := w.run(ctx, o, s)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprint(o.Out, indent(out))
	return s.check(out, code)
}

// enter waits for a line. It reports false at the end of the input and when ctx
// is done; a read that nobody waits for any more ends with the process.
func enter(ctx context.Context, in *bufio.Reader) bool {
	done := make(chan error, 1)
	go func() {
		_, err := in.ReadString('\n')
		done <- err
	}()
	select {
	case err := <-done:
		return err == nil
	case <-ctx.Done():
		return false
	}
}

func (w *World) announce(o TourOptions, n, of int, s *step) {
	_, _ = fmt.Fprintf(o.Out, "\n%s\n", bold(o, fmt.Sprintf("%d/%d  %s", n, of, s.title)))
	s.prompt(o)
}

func (s *step) prompt(o TourOptions) {
	_, _ = fmt.Fprintf(o.Out, "%s\n", dim(o, "  "+s.person+"$ hoop "+quote(s.args)))
}

func (s *step) check(out string, code int) error {
	if code != s.exit {
		return fmt.Errorf("%w: it exited with %d, not %d", ErrTour, code, s.exit)
	}
	for _, want := range s.shows {
		if !strings.Contains(out, want) {
			return fmt.Errorf("%w: %q is missing", ErrTour, want)
		}
	}
	for _, secret := range s.hides {
		if strings.Contains(out, secret) {
			return fmt.Errorf("%w: a value that must be masked was shown", ErrTour)
		}
	}
	return nil
}

// steps is the tour. The secrets that must not show are read from the database
// itself.
func (w *World) steps(ctx context.Context) ([]step, error) {
	clear, err := w.Postgres.Exec(ctx, "shop", "SELECT ssn FROM customers WHERE id <= 5 UNION ALL SELECT card_number FROM customers WHERE id <= 5 UNION ALL SELECT email FROM customers WHERE id <= 5 UNION ALL SELECT substring(note FROM '4[0-9]{15}') FROM customers WHERE note LIKE 'paid%' AND id <= 5")
	if err != nil {
		return nil, err
	}
	hidden := strings.Fields(clear)
	psql := func(sql string) []string {
		return []string{"connect", Connection, "--", "psql", "-X", "-P", "pager=off", "-c", sql}
	}
	steps := []step{
		{title: "Who am I?", person: "alice", args: []string{"whoami"}, shows: []string{"alice", "engineer"}},
		{title: "What may I open?", person: "alice", args: []string{"list"}, shows: []string{Connection}},
		{title: "A plain psql, and the sensitive columns come back masked", person: "alice",
			args:  psql("SELECT id, name, email, ssn, card_number, note FROM customers WHERE id <= 5 ORDER BY id"),
			shows: []string{"***-**-****", "(5 rows)"}, hides: hidden},
		{title: "COPY is masked too", person: "alice", args: psql("COPY customers (id, name, email, ssn) TO STDOUT"),
			shows: []string{"***-**-****"}, hides: hidden},
		{title: "A write within bounds runs", person: "alice", args: psql("UPDATE orders SET status = 'shipped' WHERE id = 7"),
			shows: []string{"UPDATE 1"}},
		{title: "A DELETE without WHERE never reaches the database", person: "alice", args: psql("DELETE FROM orders"), exit: 1,
			shows: []string{"denied by policy", "no-unbounded-writes", "add a WHERE clause"}},
		{title: "A change to a table waits, in psql as it is, until bob answers: this one he denies", person: "alice",
			args: psql("DROP TABLE orders"), exit: 1, shows: []string{"waits for an approval", "bob@demo.example denied", "keep the orders"},
			meanwhile: []step{{person: "bob", args: []string{"deny", "latest-approval", "--reason", "keep the orders"}, shows: []string{"denied"}}}},
		{title: "The table is still there", person: "alice", args: psql("SELECT count(*) FROM orders"), shows: []string{"3000"}},
		{title: "…and this one he looks at and approves: it runs once, by itself", person: "alice",
			args: psql("ALTER TABLE orders ADD COLUMN checked boolean"), shows: []string{"waits for an approval", "ALTER TABLE"},
			meanwhile: []step{
				{person: "bob", args: []string{"approvals", "show", "latest-approval"}, shows: []string{"ADD COLUMN checked", "relation public.orders"}},
				{person: "alice", args: []string{"approve", "latest-approval"}, exit: 3, shows: []string{"you are in the chain that asks"}},
				{person: "bob", args: []string{"approve", "latest-approval", "--comment", "as agreed"}, shows: []string{"approved"}},
			}},
		{title: "Mallory is nobody here", person: "mallory", args: psql("SELECT 1"), exit: 125, shows: []string{"denied by policy"}},
		{title: "Which rule decides, and why?", person: "alice", args: []string{"policy", "explain", Connection, "DELETE FROM customers"},
			shows: []string{"no-unbounded-writes", "deny"}},
		{title: "Bob reads the record: every session", person: "bob", args: []string{"sessions", "list"}, shows: []string{"alice", Connection}},
		{title: "…and every statement, with its verdict and outcome", person: "bob", args: []string{"sessions", "show", "latest-denied"},
			shows: []string{"DELETE FROM orders", "deny", "no-unbounded-writes"}},
		{title: "…the masked one too", person: "bob", args: []string{"sessions", "show", "latest-masked"},
			shows: []string{"SELECT id, name, email, ssn", "allow", "pii.ssn"}},
		{title: "…and the replay of the one that bob approved: who, when, how long it waited", person: "bob", args: []string{"sessions", "show", "latest-approved"},
			shows: []string{"ALTER TABLE orders", "approved by bob@demo.example after"}},
	}
	approvals := 1
	if w.SSH != nil {
		steps, approvals = append(steps, w.sshSteps()...), approvals+1
	}
	return append(steps, step{title: "The record proves itself", person: "bob", args: []string{"audit", "verify", "--config", w.path("hoop.yaml")},
		shows: []string{fmt.Sprintf("approvals: %d approved, %d signatures of answers fit", approvals, approvals+1)}}), nil
}

// run runs one command as its person and gives what it printed and its code.
func (w *World) run(ctx context.Context, o TourOptions, s *step) (string, int, error) {
	self, err := os.Executable()
	if err != nil {
		return "", 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, longestStep)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, w.resolve(s.args)...)
	cmd.Env = append(os.Environ(), w.Env(s.person)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	answered := w.answer(ctx, o, s.meanwhile)
	if answered != nil {
		cancel()
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if answered != nil {
		return "", 0, answered
	}
	if err != nil && !errors.As(err, &exit) {
		return "", 0, err
	}
	return out.String(), cmd.ProcessState.ExitCode(), nil
}

// longestStep is when something hangs.
const longestStep = time.Minute

// answer shows what others do once somebody waits for an answer.
func (w *World) answer(ctx context.Context, o TourOptions, steps []step) error {
	if len(steps) == 0 {
		return nil
	}
	for w.pending() == "" {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: nothing waits for an answer", ErrTour)
		case <-time.After(20 * time.Millisecond):
		}
	}
	for i := range steps {
		steps[i].args = w.resolve(steps[i].args)
		steps[i].prompt(o)
		if err := w.show(ctx, o, &steps[i]); err != nil {
			return err
		}
	}
	return nil
}

// resolve puts the ID of a session in the place of the words that stand for it.
func (w *World) resolve(args []string) []string {
	out := append([]string(nil), args...)
	for i, a := range out {
		switch a {
		case "latest-denied":
			out[i] = w.sessionWith("DELETE FROM orders")
		case "latest-approval":
			out[i] = w.pending()
		case "latest-approved":
			out[i] = w.sessionWith("ALTER TABLE orders")
		case "latest-command":
			out[i] = w.sessionWith("uname -s")
		case "latest-masked":
			out[i] = w.sessionWith("SELECT id, name, email, ssn")
		}
	}
	return out
}

func indent(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	const most = 14
	if len(lines) > most {
		lines = append(lines[:most-1], fmt.Sprintf("… %d more lines", len(lines)-most+1))
	}
	return "  │ " + strings.Join(lines, "\n  │ ") + "\n"
}

func quote(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if strings.ContainsAny(a, " *();'\"") {
			out[i] = `"` + strings.ReplaceAll(a, `"`, `\"`) + `"`
		}
	}
	return strings.Join(out, " ")
}

func bold(o TourOptions, s string) string { return style(o, "\x1b[1m", s) }
func dim(o TourOptions, s string) string  { return style(o, "\x1b[2m", s) }

func style(o TourOptions, code, s string) string {
	if !o.Color {
		return s
	}
	return code + s + "\x1b[0m"
}
