package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hoop/broker/api"
	"hoop/broker/config"
	"hoop/cli/serve"
	"hoop/policy"
)

func (a *App) policyCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Test and explain rules", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.policyTestCmd(), a.policyExplainCmd(), a.policyBacktestCmd())
	return cmd
}

func (a *App) policyTestCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "test", Short: "Run the examples that stand beside the rules", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			return a.policyTest(cmd.Context(), cfg)
		},
	}
	cmd.Flags().StringVar(&path, "config", "hoop.yaml", "the broker's configuration")
	return cmd
}

func (a *App) policyTest(ctx context.Context, cfg *config.Config) error {
	p, err := cfg.Policy()
	if err != nil {
		return err
	}
	analyzer, err := serve.NewAnalyzer(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer analyzer.Close()
	results := p.RunTests(serve.TestWorld(ctx, cfg, analyzer), cfg.Tests())
	if a.json() {
		if err := a.printJSON(results); err != nil {
			return err
		}
	}
	failed := 0
	for _, r := range results {
		mark := "ok    "
		if !r.Passed {
			mark, failed = "FAILED", failed+1
		}
		if !a.json() {
			if _, err := fmt.Fprintf(a.Out, "%s  %s: %s by %s  %s\n", mark, printable(r.Name), r.Verdict.Effect, ruleName(r.Verdict.Rule), printable(r.Problem)); err != nil {
				return err
			}
		}
	}
	a.notef("%d of %d examples hold", len(results)-failed, len(results))
	if failed > 0 {
		return &exitError{code: exitFailure, word: "failed", err: fmt.Errorf("%d examples do not hold", failed)}
	}
	return nil
}

// explainOptions is where an explanation comes from: the broker, for oneself,
// or a configuration file, for anybody.
type explainOptions struct {
	path    string
	who     string
	groups  []string
	verb    string
	request policy.SSHRequest
}

func (a *App) policyExplainCmd() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use: "explain CONNECTION [TEXT]", Short: "Show which rule decides on a statement or request, and why", Args: cobra.RangeArgs(1, 2),
		Long: "Asks the broker what it would say to you. With --config, reads a configuration\n" +
			"instead and decides for the principal named by --as and --group. The text is SQL\n" +
			"for a database and a command for an SSH target; flags ask about anything else\n" +
			"there: a file, a forward, a variable.",
		Example: "  hoop policy explain prod-db 'DELETE FROM orders'\n" +
			"  hoop policy explain web-1 --command 'systemctl restart nginx'\n" +
			"  hoop policy explain web-1 --action ssh.sftp_write --path /etc/passwd\n" +
			"  hoop policy explain web-1 --host db.internal --port 5432",
		RunE: func(cmd *cobra.Command, args []string) error {
			ask := &api.ExplainRequest{Connection: args[0], Verb: o.verb}
			if o.request != (policy.SSHRequest{}) {
				ask.SSH = &o.request
			}
			switch {
			case len(args) == 2:
				ask.SQL = args[1]
			case ask.SSH == nil && ask.Verb == "":
				return usagef("say what it is about: a text, or a flag such as --command")
			}
			out, err := a.explain(cmd.Context(), &o, ask)
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(out)
			}
			return a.printExplanation(out)
		},
		ValidArgsFunction: a.completeConnections,
	}
	o.flags(cmd.Flags())
	return cmd
}

func (o *explainOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.path, "config", "", "decide by this configuration, without a broker")
	f.StringVar(&o.who, "as", "", "with --config: the name of the principal")
	f.StringSliceVar(&o.groups, "group", nil, "with --config: a group of the principal")
	f.StringVar(&o.verb, "action", "", "ssh: the action, where it does not follow: ssh.sftp_write, ssh.forward_remote, …")
	f.StringVar(&o.request.Command, "command", "", "ssh: a command")
	f.StringVar(&o.request.Path, "path", "", "ssh: a file, or the socket of a forward")
	f.StringVar(&o.request.NewPath, "new-path", "", "ssh: the second path of a rename or link")
	f.StringVar(&o.request.Host, "host", "", "ssh: where a forward leads to")
	f.IntVar(&o.request.Port, "port", 0, "ssh: its port")
	f.StringVar(&o.request.Env, "env", "", "ssh: the name of a variable")
	f.StringVar(&o.request.Subsystem, "subsystem", "", "ssh: a subsystem")
	f.StringVar(&o.request.Login, "login", "", "ssh: the user at the target")
	f.BoolVar(&o.request.PTY, "pty", false, "ssh: the command or shell has a terminal")
}

func (a *App) explain(ctx context.Context, o *explainOptions, ask *api.ExplainRequest) (*api.Explanation, error) {
	if o.path == "" {
		if o.who != "" || o.groups != nil {
			return nil, usagef("--as and --group go with --config")
		}
		c, err := a.client(ctx)
		if err != nil {
			return nil, err
		}
		return c.Explain(ctx, ask)
	}
	cfg, err := config.Load(o.path)
	if err != nil {
		return nil, err
	}
	return serve.ExplainLocally(ctx, cfg, o.who, o.groups, ask)
}

func (a *App) printExplanation(out *api.Explanation) error {
	if len(out.Statements) == 0 {
		return &exitError{code: exitFailure, word: "empty", err: errors.New("there is no statement in that text")}
	}
	for i := range out.Statements {
		if err := a.printExplained(&out.Statements[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) printExplained(s *api.ExplainedStatement) error {
	var err error
	switch {
	case s.SSH != nil:
		err = a.printRequest(s)
	case s.SQL != nil:
		_, err = fmt.Fprintf(a.Out, "%s\n  kind      %s %v\n  tables    reads %v, writes %v\n", printable(oneLine(s.Text, 200)),
			s.SQL.Kind, s.SQL.Effects, s.SQL.Reads, s.SQL.Writes)
	}
	if err != nil {
		return err
	}
	for _, step := range s.Steps {
		if _, err := fmt.Fprintf(a.Out, "  rule      %s\n", printable(stepLine(step))); err != nil {
			return err
		}
	}
	if s.SQL != nil && s.SQL.Unknown {
		_, _ = fmt.Fprintf(a.Out, "  unknown   %s\n", printable(s.SQL.Why))
	}
	if _, err := fmt.Fprintf(a.Out, "  verdict   %s by %s\n", s.Verdict.Effect, ruleName(s.Verdict.Rule)); err != nil {
		return err
	}
	if s.Verdict.Reason != "" {
		_, _ = fmt.Fprintf(a.Out, "  because   %s\n", printable(s.Verdict.Reason))
	}
	if s.Verdict.Effect != policy.Allow && s.Verdict.Hint != "" {
		_, _ = fmt.Fprintf(a.Out, "  instead   %s\n", printable(s.Verdict.Hint))
	}
	a.printLineage(s)
	return nil
}

// printRequest tells what is known of a request to an SSH target.
func (a *App) printRequest(s *api.ExplainedStatement) error {
	if _, err := fmt.Fprintf(a.Out, "%s\n  action    %s\n", printable(oneLine(s.Text, 200)), s.Verb); err != nil || s.Verb != policy.SSHExec {
		return err
	}
	words := "simple: " + fmt.Sprintf("%q", s.SSH.Words)
	if !s.SSH.Simple {
		words = "not a simple command: " + s.SSH.Why
	}
	_, err := fmt.Fprintf(a.Out, "  command   %s\n  programs  %s\n", printable(words), printable(s.SSH.Runs()))
	return err
}

// printLineage tells what the labels say, which is on top of the rules.
func (a *App) printLineage(s *api.ExplainedStatement) {
	if s.Problem != "" {
		_, _ = fmt.Fprintf(a.Out, "  columns   not known: %s\n", printable(s.Problem))
	}
	if s.Lineage == nil {
		return
	}
	for i, c := range s.Lineage.Columns {
		line := fmt.Sprintf("%d %s", i+1, c.Name)
		if len(c.From) > 0 {
			line += " ← " + strings.Join(c.From, ", ")
		}
		switch {
		case c.Mask == "whole":
			line += "  masked whole, as it is computed (" + strings.Join(c.Labels, ", ") + ")"
		case c.Mask != "":
			line += "  masked as " + strings.Join(c.Labels, ", ")
		case len(c.From) > 0:
			line += "  shown in clear"
		}
		_, _ = fmt.Fprintf(a.Out, "  column    %s\n", printable(line))
	}
	if s.Lineage.Effect < s.Verdict.Effect {
		_, _ = fmt.Fprintf(a.Out, "  labels    %s: %s\n", s.Lineage.Effect, printable(s.Lineage.Reason))
		if s.Lineage.Hint != "" {
			_, _ = fmt.Fprintf(a.Out, "  instead   %s\n", printable(s.Lineage.Hint))
		}
	}
}

func ruleName(rule string) string {
	if rule == "" {
		return "no rule"
	}
	return "rule " + rule
}

func stepLine(s policy.Step) string {
	line := fmt.Sprintf("%-24s %-16s %s", s.Rule, s.Effect, s.Match)
	if s.Matcher != "" {
		line += ": " + s.Matcher + " " + s.Why
	}
	if s.Decided {
		line += "  ← decides"
	}
	return line
}
