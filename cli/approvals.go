package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hoop/broker/api"
)

func (a *App) approvalsCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "approvals", Short: "See what waits for an answer, and what was answered", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.approvalsListCmd(), a.approvalsShowCmd(), a.approvalsWatchCmd(), a.approvalsWithdrawCmd())
	return cmd
}

func (a *App) approvalsListCmd() *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List approvals that are yours to ask for or to answer", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch state {
			case "pending", "approved", "denied", "expired", "cancelled", "all":
			default:
				return usagef("--state %q is none of pending, approved, denied, expired, cancelled, all", state)
			}
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			found, err := c.Approvals(cmd.Context(), state)
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(found)
			}
			return a.table(approvalRows(found))
		},
	}
	cmd.Flags().StringVar(&state, "state", "pending", "pending, approved, denied, expired, cancelled or all")
	return cmd
}

func approvalRows(found []api.Approval) [][]string {
	rows := [][]string{{"APPROVAL", "STATE", "EXPIRES", "CHAIN", "CONNECTION", "RULE", "YOURS TO ANSWER", "WHAT"}}
	for i := range found {
		x := &found[i]
		may := "no"
		if x.MayAnswer {
			may = "yes"
		}
		rows = append(rows, []string{x.ID, x.State, when(x.Expires), x.Chain.String(), x.Connection, x.Rule, may, oneLine(whatOf(x), 80)})
	}
	return rows
}

// whatOf is what an approval is for, in the requester's own bytes.
func whatOf(x *api.Approval) string {
	switch {
	case x.Kind == "statement":
		return x.Text
	case x.ForSec > 0:
		return "open " + x.Connection + " for " + seconds(x.ForSec)
	default:
		return "open " + x.Connection + " once"
	}
}

func seconds(n int64) string { return (time.Duration(n) * time.Second).String() }

func (a *App) approvalsShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show APPROVAL", Short: "Show all that there is to know before answering", Args: cobra.ExactArgs(1),
		ValidArgsFunction: a.completeApprovals,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			x, err := c.Approval(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if _, err := x.CheckDigest(); err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(x)
			}
			_, err = io.WriteString(a.Out, approvalText(x))
			return err
		},
	}
}

// approvalText lays an approval out for reading. Nothing that the requester
// wrote gets to the terminal as it is.
func approvalText(x *api.Approval) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(&b, "%-12s %s\n", name, printable(text))
		}
	}
	line("approval", "%s  %s", x.ID, x.State)
	line("who", "%s", x.Chain)
	line("from", "%s", x.Client)
	line("connection", "%s (%s)  session %s", x.Connection, x.Protocol, x.Session)
	line("reason", "%s", strings.TrimSpace(x.Reason+"  "+x.Ticket))
	line("rule", "%s  %s", x.Rule, x.RuleReason)
	line("answers", "%s", answersOf(x))
	line("expires", "%s", when(x.Expires))
	line("why", "%s", x.Why)
	line("hash", "%s", x.Digest)
	if x.SQL != nil {
		line("effects", "%s: %s", x.SQL.Kind, strings.Join(x.SQL.Effects, ", "))
	}
	if x.SSH != nil {
		line("action", "%s", x.Verb)
		line("runs", "%s", x.SSH.Runs())
	}
	for _, list := range []struct {
		name  string
		items []string
	}{{"object", x.Objects}, {"label", x.Labels}, {"setting", x.Settings}} {
		for _, item := range list.items {
			line(list.name, "%s", item)
		}
	}
	for i, p := range x.Params {
		value := strconv.Quote(p.Value)
		if p.Null {
			value = "NULL"
		}
		line("$"+strconv.Itoa(i+1), "%s  (type %d)", value, p.OID)
	}
	b.WriteString(quoted(whatOf(x)))
	previewText(&b, x.Preview)
	if h := x.History; h != nil {
		line("history", "asked %d before: %d approved, %d denied; the same text was approved %d times", h.Asked, h.Approved, h.Denied, h.SameText)
	}
	if x.State == "pending" && x.MayAnswer {
		line("answer", "hoop approve %s   or   hoop deny %s --reason WHY", x.ID, x.ID)
	} else if x.State == "pending" {
		line("answer", "you may not: %s", x.WhyNot)
	}
	return b.String()
}

func answersOf(x *api.Approval) string {
	who := append([]string(nil), x.Names...)
	for _, g := range x.Groups {
		who = append(who, "group "+g)
	}
	text := fmt.Sprintf("%d of %d needed, by %s", len(x.Answers), x.Quorum, strings.Join(who, ", "))
	for i := range x.Answers {
		n := &x.Answers[i]
		text += fmt.Sprintf("; %s: %s", n.Approver, n.Decision)
		if n.Via != "" {
			text += " in a browser"
		}
		if n.Comment != "" {
			text += " (" + n.Comment + ")"
		}
	}
	return text
}

func previewText(b *strings.Builder, p *api.Preview) {
	if p == nil {
		return
	}
	if p.ExactRows != nil {
		fmt.Fprintf(b, "%-12s %d, counted\n", "rows", *p.ExactRows)
	} else if p.EstimatedRows > 0 {
		fmt.Fprintf(b, "%-12s about %.0f, by the planner\n", "rows", p.EstimatedRows)
	}
	if p.Plan != "" {
		fmt.Fprintf(b, "plan\n%s", quoted(p.Plan))
	}
	if p.Problem != "" {
		fmt.Fprintf(b, "%-12s %s\n", "no preview", printable(p.Problem))
	}
}

// quoted sets text of somebody else apart, line by line.
func quoted(s string) string {
	var b strings.Builder
	for _, l := range strings.Split(strings.TrimRight(s, "\n"), "\n") {
		b.WriteString("  │ " + printable(l) + "\n")
	}
	return b.String()
}

func (a *App) approvalsWatchCmd() *cobra.Command {
	return &cobra.Command{
		Use: "watch", Short: "Tell of approvals as they come and end, until interrupted", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			return a.watchApprovals(cmd.Context(), c)
		},
	}
}

// watchApprovals looks again where the broker ends the stream.
func (a *App) watchApprovals(ctx context.Context, c *api.Client) error {
	for {
		err := c.WatchApprovals(ctx, func(ev *api.ApprovalEvent) error {
			if ev.Approval == nil {
				return nil
			}
			if a.json() {
				return a.printLine(ev)
			}
			x := ev.Approval
			_, err := fmt.Fprintf(a.Out, "%s  %-8s %s  %s  %s  %s  %s\n", time.Now().Format("15:04:05"), ev.Event, x.ID, x.State,
				printable(x.Chain.String()), x.Connection, printable(oneLine(whatOf(x), 80)))
			return err
		})
		if !errors.Is(err, io.EOF) {
			return err
		}
		if !rest(ctx, time.Second) {
			return context.Cause(ctx)
		}
	}
}

func (a *App) approvalsWithdrawCmd() *cobra.Command {
	return &cobra.Command{
		Use: "withdraw APPROVAL", Short: "Take back an approval that you asked for", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			return c.Withdraw(cmd.Context(), args[0])
		},
	}
}

// completeApprovals offers what waits for the caller's answer.
func (a *App) completeApprovals(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
	defer cancel()
	c, err := a.client(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found, _ := c.Approvals(ctx, "pending")
	var out []string
	for i := range found {
		out = append(out, found[i].ID+"\t"+printable(found[i].Requester+" "+oneLine(whatOf(&found[i]), 40)))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
