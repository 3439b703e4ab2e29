package cli

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"hoop/broker/api"
	"hoop/tui"
)

func (a *App) tuiCmd() *cobra.Command {
	var start string
	cmd := &cobra.Command{
		Use: "tui", Short: "Answer approvals and look at sessions, on a full screen", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !isTerminal(a.In) || !isTerminal(a.Out) {
				return usagef("there is no terminal; use hoop approvals and hoop sessions instead")
			}
			if start != "approvals" && start != "sessions" {
				return usagef("--start %q is neither approvals nor sessions", start)
			}
			return a.runTUI(cmd.Context(), start)
		},
	}
	cmd.Flags().StringVar(&start, "start", "approvals", "the first screen: approvals or sessions")
	return cmd
}

func (a *App) runTUI(ctx context.Context, start string) error {
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	me, err := c.Whoami(ctx)
	if err != nil {
		return err
	}
	c.Dialer.Notify = nil // the screen is not for notes
	return tui.Run(ctx, desk{c}, tui.Options{In: a.In, Out: a.Out, Me: me.Principal.Name, Broker: c.Dialer.URL.Host,
		NoColor: a.noColor, Start: start})
}

// desk is the broker as the screen needs it.
type desk struct{ *api.Client }

// Approvals lists all for the empty state.
func (d desk) Approvals(ctx context.Context, state string) ([]api.Approval, error) {
	if state == "" {
		state = "all"
	}
	return d.Client.Approvals(ctx, state)
}

// Answer signs what was shown.
func (d desk) Answer(ctx context.Context, shown *api.Approval, decision, comment string, grant time.Duration) error {
	_, err := d.Client.Answer(ctx, shown, decision, comment, grant)
	return err
}

// WatchApprovals tells of changes until the stream ends, which is no failure.
func (d desk) WatchApprovals(ctx context.Context, changed func(api.ApprovalEvent)) error {
	err := d.Client.WatchApprovals(ctx, func(e *api.ApprovalEvent) error {
		changed(*e)
		return nil
	})
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
