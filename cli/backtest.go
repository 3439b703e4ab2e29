package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hoop/broker/config"
	"hoop/cli/serve"
)

// backtestOptions say what is decided again, and by what.
type backtestOptions struct {
	path  string
	dir   string
	since string
}

func (a *App) policyBacktestCmd() *cobra.Command {
	var o backtestOptions
	cmd := &cobra.Command{
		Use: "backtest NEW.yaml", Short: "Show which recorded verdicts a proposed policy would change", Args: cobra.ExactArgs(1),
		Long: "Decides what the audit log recorded again, under the labels, packs and rules of\n" +
			"NEW.yaml in the place of those of the configuration, and lists the verdicts that\n" +
			"differ. Nothing runs. The exit code is 1 where any differs. It reads the log's\n" +
			"files, so it runs where they are, or on a copy (--dir).",
		RunE: func(_ *cobra.Command, args []string) error { return a.backtest(&o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.path, "config", "hoop.yaml", "the broker's configuration, for its connections and its log")
	f.StringVar(&o.dir, "dir", "", "the folder of the log itself")
	f.StringVar(&o.since, "since", "30d", "how far back, such as 12h or 30d")
	return cmd
}

func (a *App) backtest(o *backtestOptions, path string) error {
	back, err := parseBack(o.since)
	if err != nil {
		return err
	}
	cfg, err := config.Load(o.path)
	if err != nil {
		return err
	}
	p, err := cfg.Proposal(path)
	if err != nil {
		return err
	}
	dir := o.dir
	if dir == "" {
		dir = serve.AuditDir(cfg)
	}
	found, err := serve.RunBacktest(cfg, p, dir, time.Now().Add(-back))
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	if err := a.printBacktest(found); err != nil {
		return err
	}
	if len(found.Changes) > 0 {
		return &exitError{code: exitFailure, word: "changes", err: fmt.Errorf("%d recorded statements would be decided otherwise", changed(found))}
	}
	return nil
}

func changed(b *serve.Backtest) int { return b.Events - b.Unchanged }

func (a *App) printBacktest(b *serve.Backtest) error {
	if a.json() {
		return a.printJSON(b)
	}
	rows := [][]string{{"COUNT", "LAST", "CHAIN", "CONNECTION", "WAS", "WOULD BE", "STATEMENT"}}
	for i := range b.Changes {
		c := &b.Changes[i]
		text := c.Text
		if !strings.HasPrefix(c.Verb, "sql.") {
			text = c.Verb + " " + text
		}
		rows = append(rows, []string{strconv.Itoa(c.Count), when(c.Last), c.Chain, c.Connection, c.Was.String() + " by " + ruleName(c.WasRule),
			c.Would.String() + " by " + ruleName(c.WouldRule), oneLine(text, 100)})
	}
	if len(rows) > 1 {
		if err := a.table(rows); err != nil {
			return err
		}
	}
	a.notef("%d recorded decisions, %d the same", b.Events, b.Unchanged)
	if b.Gone > 0 {
		a.notef("%d were on connections that the configuration does not have", b.Gone)
	}
	return nil
}

// parseBack reads a duration that may be in days.
func parseBack(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil || n == 0 {
			return 0, usagef("--since %q is no time back, such as 12h or 30d", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, usagef("--since %q is no time back, such as 12h or 30d", s)
	}
	return d, nil
}
