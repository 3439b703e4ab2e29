package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (a *App) whoamiCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Show who the broker takes you for",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			me, err := c.Whoami(cmd.Context())
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(me)
			}
			_, err = fmt.Fprintf(a.Out, "%s\n  chain    %s\n  groups   %s\n  issuer   %s\n  broker   %s\n  expires  %s\n  proof    %s\n",
				printable(me.Principal.Name), printable(me.Chain.String()), printable(strings.Join(me.Principal.Groups, ", ")),
				me.Principal.Issuer, c.Dialer.URL, when(me.Expires), me.Binding)
			return err
		},
	}
}
