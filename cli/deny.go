package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

func (a *App) denyCmd() *cobra.Command {
	o := answerOptions{decision: "deny"}
	cmd := &cobra.Command{
		Use: "deny APPROVAL --reason WHY", Short: "Deny what somebody waits for",
		Example:           "  hoop deny k3f9x2abcd --reason \"not during the release\"",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeApprovals,
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(o.comment) == "" {
				return usagef("say why with --reason: the requester reads it")
			}
			o.id = args[0]
			return a.answer(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.comment, "reason", "", "what the requester and the record are told")
	f.StringVar(&o.hash, "if-hash", "", "only if this is the hash of what waits, or its first 16 characters or more")
	return cmd
}
