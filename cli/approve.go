package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hoop/broker/api"
)

// answerOptions is what hoop approve and hoop deny were asked for.
type answerOptions struct {
	id       string
	decision string
	comment  string
	lasts    time.Duration
	hash     string
}

func (a *App) approveCmd() *cobra.Command {
	o := answerOptions{decision: "approve"}
	cmd := &cobra.Command{
		Use: "approve APPROVAL", Short: "Approve what somebody waits for",
		Long: "Approves exactly what waits, once: hoop approvals show tells what that is. The\n" +
			"answer is signed with the key of your own login. With --for it leaves a grant:\n" +
			"the same statement by the same chain, or opening the connection, for that long.",
		Example:           "  hoop approve k3f9x2abcd\n  hoop approve k3f9x2abcd --for 30m --comment \"as agreed\"",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeApprovals,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			return a.answer(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&o.lasts, "for", 0, "leave a grant for this long, such as 30m, up to 24h")
	f.StringVar(&o.comment, "comment", "", "what the requester and the record are told")
	f.StringVar(&o.hash, "if-hash", "", "only if this is the hash of what waits, or its first 16 characters or more")
	return cmd
}

// minHash is how much of a hash says enough, in hexadecimal characters.
const minHash = 16

// answer signs what the broker shows at this moment, and nothing else.
func (a *App) answer(ctx context.Context, o *answerOptions) error {
	if o.lasts < 0 || o.lasts%time.Second != 0 {
		return usagef("--for takes whole seconds, such as 30m")
	}
	if o.hash != "" && len(o.hash) < minHash {
		return usagef("--if-hash needs at least %d characters", minHash)
	}
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	x, err := c.Approval(ctx, o.id)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(x.Digest, strings.ToLower(o.hash)) {
		return &api.Error{Code: api.CodeDenied, Message: "what waits has the hash " + x.Digest + ", not the one given",
			Hint: "look at it again: hoop approvals show " + x.ID}
	}
	x, err = c.Answer(ctx, x, o.decision, o.comment, o.lasts)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(x)
	}
	_, err = fmt.Fprintln(a.Out, answeredText(x))
	return err
}

func answeredText(x *api.Approval) string {
	text := fmt.Sprintf("%s %s: %s on %s: %s", x.ID, x.State, printable(x.Chain.String()), x.Connection, printable(oneLine(whatOf(x), 80)))
	if x.State == "pending" {
		text += fmt.Sprintf(" (%d of %d answers)", len(x.Answers), x.Quorum)
	}
	if x.Grant != "" {
		text += "; grant " + x.Grant
	}
	return text
}
