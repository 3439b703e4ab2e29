package cli

import (
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"hoop/broker/api"
)

func (a *App) listCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the connections that you may open",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			found, err := c.Connections(cmd.Context())
			if err != nil {
				return err
			}
			a.rememberNames(strings.TrimRight(c.Dialer.URL.String(), "/"), found)
			if a.json() {
				return a.printJSON(found)
			}
			return a.table(connectionRows(found))
		},
	}
}

func connectionRows(found []api.Connection) [][]string {
	rows := [][]string{{"NAME", "PROTOCOL", "DATABASE", "LABELS", "OPENING", "USE"}}
	for _, c := range found {
		use := ""
		if p := protocolOf(c.Protocol); p != nil {
			use = p.use(c.Name)
		}
		rows = append(rows, []string{c.Name, c.Protocol, c.Database, labels(c.Labels), c.Effect + " (" + c.Rule + ")", use})
	}
	return rows
}

func labels(m map[string]string) string {
	var out []string
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}
