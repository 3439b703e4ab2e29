package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hoop/broker/api"
)

// requestOptions is what hoop request was asked for.
type requestOptions struct {
	in     api.AccessRequest
	lasts  time.Duration
	noWait bool
}

func (a *App) requestCmd() *cobra.Command {
	o := requestOptions{}
	cmd := &cobra.Command{
		Use: "request CONNECTION --reason WHY", Short: "Ask to open a connection for a while",
		Long: "Asks for a grant to open a connection, and waits for the answer. With --no-wait\n" +
			"it ends at once, with exit code 8 while the answer is pending.",
		Example: "  hoop request prod-db --for 1h --reason \"look into INC-4412\" --ticket INC-4412",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completeConnections,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.in.Connection = args[0]
			return a.request(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&o.lasts, "for", time.Hour, "how long, up to 24h")
	f.StringVar(&o.in.Reason, "reason", "", "why, for who answers and for the record")
	f.StringVar(&o.in.Ticket, "ticket", "", "a ticket that says more")
	f.BoolVar(&o.in.BreakGlass, "break-glass", false, "go on without an answer, where policy trusts you with that; it is alarmed at once")
	f.BoolVar(&o.noWait, "no-wait", false, "do not wait: exit with code 8")
	return cmd
}

func (a *App) request(ctx context.Context, o *requestOptions) error {
	if strings.TrimSpace(o.in.Reason) == "" {
		return usagef("say why with --reason: who answers reads it")
	}
	if o.lasts < time.Second || o.lasts%time.Second != 0 {
		return usagef("--for takes whole seconds, such as 1h")
	}
	o.in.ForSec = int64(o.lasts / time.Second)
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	got, err := c.RequestAccess(ctx, &o.in)
	switch {
	case err != nil:
		return err
	case got.Approval == nil:
		return a.granted(o, got.Grant)
	case o.noWait:
		return pending(got.Approval)
	}
	a.notef("%s waits for an answer: hoop approve %s", printable(whatOf(got.Approval)), got.Approval.ID)
	x, err := ended(ctx, c, got.Approval.ID)
	if err != nil {
		return err
	}
	return a.requestAnswered(o, x)
}

// pending is the error for who does not wait.
func pending(x *api.Approval) error {
	return &api.Error{Code: api.CodeApprovalRequired, Rule: x.Rule, Approval: x.ID, Message: whatOf(x) + " waits for an answer: approval " + x.ID,
		Hint: "see how it goes: hoop approvals show " + x.ID}
}

// granted tells of a grant, nil where none is needed.
func (a *App) granted(o *requestOptions, g *api.Grant) error {
	if a.json() {
		return a.printJSON(api.AccessAnswer{Grant: g})
	}
	text := "no approval is needed to open " + o.in.Connection
	if g != nil {
		text = fmt.Sprintf("grant %s to open %s until %s", g.ID, g.Connection, when(g.Expires))
	}
	_, err := fmt.Fprintln(a.Out, text)
	return err
}

// ended waits for the end of an approval.
func ended(ctx context.Context, c *api.Client, id string) (*api.Approval, error) {
	var found *api.Approval
	errFound := errors.New("found")
	for {
		err := c.WatchApprovals(ctx, func(ev *api.ApprovalEvent) error {
			if ev.Approval != nil && ev.Approval.ID == id && ev.Approval.State != "pending" {
				found = ev.Approval
				return errFound
			}
			if ev.Event != "ping" {
				return nil
			}
			x, err := c.Approval(ctx, id) // it may have ended before the watch began
			if err == nil && x.State != "pending" {
				found, err = x, errFound
			}
			return err
		})
		if errors.Is(err, errFound) {
			return found, nil
		}
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		if !rest(ctx, time.Second) {
			return nil, context.Cause(ctx)
		}
	}
}

func (a *App) requestAnswered(o *requestOptions, x *api.Approval) error {
	if x.State != "approved" {
		why := x.Why
		for i := range x.Answers {
			if n := &x.Answers[i]; n.Decision == "deny" {
				why = n.Approver + ": " + n.Comment
			}
		}
		return &api.Error{Code: api.CodeDenied, Rule: x.Rule, Approval: x.ID,
			Message: strings.TrimSuffix(fmt.Sprintf("approval %s is %s: %s", x.ID, x.State, printable(why)), ": ")}
	}
	if a.json() {
		return a.printJSON(api.AccessAnswer{Approval: x})
	}
	_, err := fmt.Fprintf(a.Out, "grant %s to open %s for %s\n", x.Grant, x.Connection, o.lasts)
	return err
}
