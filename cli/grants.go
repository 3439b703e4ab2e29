package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hoop/broker/api"
)

func (a *App) grantsCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "grants", Short: "See and revoke what was approved for a while", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.grantsListCmd(), a.grantsRevokeCmd())
	return cmd
}

func (a *App) grantsListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List grants that are yours, or yours to revoke", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			found, err := c.Grants(cmd.Context())
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(found)
			}
			return a.table(grantRows(found))
		},
	}
}

func grantRows(found []api.Grant) [][]string {
	rows := [][]string{{"GRANT", "CHAIN", "CONNECTION", "FOR", "UNTIL", "BY", "USES"}}
	for i := range found {
		g := &found[i]
		what, by := "opening it", strings.Join(g.Approvers, ", ")
		if g.Kind == "statement" {
			what = oneLine(g.Text, 60)
		}
		if g.BreakGlass {
			what, by = "everything: the glass was broken", "nobody: "+g.Reason
		}
		rows = append(rows, []string{g.ID, g.Chain.String(), g.Connection, what, when(g.Expires), by, strconv.Itoa(g.Uses)})
	}
	return rows
}

func (a *App) grantsRevokeCmd() *cobra.Command {
	return &cobra.Command{
		Use: "revoke GRANT", Short: "End a grant, and the sessions that live under it, at once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			return c.RevokeGrant(cmd.Context(), args[0])
		},
	}
}
