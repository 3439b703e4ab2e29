package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hoop/broker"
	"hoop/broker/api"
)

func (a *App) discoverCmd() *cobra.Command {
	var rows int
	cmd := &cobra.Command{
		Use: "discover CONNECTION", Short: "Look for sensitive columns and propose labels", Args: cobra.ExactArgs(1),
		Long: "The broker reads the first rows of each table that its credential may read, as\n" +
			"statements of a session of yours that policy decides on, and runs the detectors\n" +
			"over them. No value leaves it: the answer is how many values of which column\n" +
			"hold something of which class. The proposal is for review; put what you keep of\n" +
			"it into the policy.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			found, err := c.Discover(cmd.Context(), &api.DiscoverRequest{Connection: args[0], Rows: rows})
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(found)
			}
			return a.printDiscovery(found)
		},
		ValidArgsFunction: a.completeConnections,
	}
	cmd.Flags().IntVar(&rows, "rows", 200, "how many rows of each table to look at")
	return cmd
}

// printDiscovery writes labels as YAML, with what speaks for each beside it.
func (a *App) printDiscovery(d *api.Discovery) error {
	var lines []string
	labelled := 0
	for i := range d.Columns {
		c := &d.Columns[i]
		if c.Label != "" {
			labelled++
			continue
		}
		if label, why, ok := proposal(c); ok {
			lines = append(lines, fmt.Sprintf("    %s.%s.%s: %s  # %s", yamlName(c.Schema), yamlName(c.Table), yamlName(c.Column), label, why))
		}
	}
	a.notef("%d columns looked at, %d carry a label already, %d more are proposed", len(d.Columns), labelled, len(lines))
	if len(lines) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(a.Out, "labels:\n- connections: [%s]\n  columns:\n%s\n", d.Connection, strings.Join(lines, "\n"))
	return err
}

// proposal names the label of the class that most values hold. Below a tenth
// of them, a class is more likely an accident of the detectors.
func proposal(c *broker.SampledColumn) (label, why string, ok bool) {
	if c.Values == 0 || len(c.Found) == 0 {
		return "", "", false
	}
	class := slices.MaxFunc(slices.Sorted(maps.Keys(c.Found)), func(x, y string) int { return cmp.Compare(c.Found[x], c.Found[y]) })
	n := c.Found[class]
	if n*10 < c.Values {
		return "", "", false
	}
	confidence := "low"
	switch {
	case n*10 >= 9*c.Values && c.Values >= 10:
		confidence = "high"
	case n*2 >= c.Values:
		confidence = "medium"
	}
	return labelOf(class), fmt.Sprintf("%s confidence: %s in %d of %d values", confidence, class, n, c.Values), true
}

// labelOf is the label that is usual for a detector class.
func labelOf(class string) string {
	switch class {
	case "email", "phone":
		return "pii." + class
	case "us_ssn":
		return "pii.ssn"
	case "credit_card":
		return "pci.pan"
	case "iban":
		return "pii.iban"
	}
	return "secret." + class
}

// yamlName writes a name as SQL would, for a key of labels.
func yamlName(name string) string {
	plain := name != "" && (name[0] < '0' || name[0] > '9')
	for _, r := range name {
		plain = plain && (r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	}
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
