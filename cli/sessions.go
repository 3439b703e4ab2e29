package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hoop/broker/api"
)

func (a *App) sessionsCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "sessions", Short: "Look at sessions, live and past", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.sessionsListCmd(), a.sessionsShowCmd(), a.sessionsReplayCmd(), a.sessionsExportCmd(), a.sessionsEndCmd())
	return cmd
}

func (a *App) sessionsListCmd() *cobra.Command {
	var live bool
	var connection, principal string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List sessions, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			found, err := c.Sessions(cmd.Context(), live, connection, principal, limit)
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(found)
			}
			return a.table(sessionRows(found))
		},
	}
	f := cmd.Flags()
	f.BoolVar(&live, "live", false, "only sessions that are open now")
	f.StringVar(&connection, "connection", "", "only sessions on this connection")
	f.StringVar(&principal, "principal", "", "only sessions of this principal")
	f.IntVar(&limit, "limit", 50, "at most this many, up to 1000")
	return cmd
}

func sessionRows(found []api.Session) [][]string {
	rows := [][]string{{"SESSION", "STARTED", "CHAIN", "CONNECTION", "STATEMENTS", "DENIED", "STATE"}}
	for _, s := range found {
		rows = append(rows, []string{s.ID, when(s.Started), s.Chain.String(), s.Connection,
			strconv.Itoa(s.Statements), strconv.Itoa(s.Denied), s.State})
	}
	return rows
}

func (a *App) sessionsShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show SESSION", Short: "Show one session with every statement, its verdict and outcome", Args: cobra.ExactArgs(1),
		Long: "Shows each statement or request with its verdict and outcome. Lines marked derived\n" +
			"were typed into a shell and read off its screen: an aid for readers, not a proof.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			s, err := c.Session(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.printSession(s)
		},
	}
}

func (a *App) printSession(s *api.SessionDetail) error {
	if a.json() {
		return a.printJSON(s)
	}
	return a.showSession(s)
}

func (a *App) showSession(s *api.SessionDetail) error {
	_, err := fmt.Fprintf(a.Out, "session %s  %s → %s (%s)  %s  from %s\n", s.ID, printable(s.Chain.String()), s.Connection,
		s.Protocol, when(s.Started), s.Client)
	if err != nil {
		return err
	}
	rows := [][]string{{"EVENT", "TIME", "VERDICT", "RULE", "OUTCOME", "ROWS", "TOOK", "MASKED", "STATEMENT"}}
	for i := range s.ActionList {
		x := &s.ActionList[i]
		outcome := x.Outcome
		if x.Code != "" {
			outcome += " " + x.Code
		}
		rows = append(rows, []string{strconv.FormatUint(x.Event, 10), x.Time.Local().Format("15:04:05.000"), verdictOf(x), x.Rule,
			outcome, strconv.FormatInt(x.Rows, 10), micros(x.Duration), maskedCounts(x.Masked), oneLine(askedFor(x), 100)})
		for _, d := range x.Derived {
			rows = append(rows, []string{"", d.Time.Local().Format("15:04:05.000"), "derived", "", "", "", "", "", oneLine("typed "+d.Text, 100)})
		}
	}
	return a.table(rows)
}

// askedFor is the text of an action. Beside SQL, which says so itself, the kind of
// it comes first: exec make, shell.
func askedFor(x *api.Action) string {
	protocol, kind, _ := strings.Cut(x.Verb, ".")
	if protocol == "sql" || kind == "" {
		return x.Text
	}
	return strings.TrimSpace(kind + " " + x.Text)
}

// verdictOf is the effect, and whose answer it took.
func verdictOf(x *api.Action) string {
	switch a := x.Approval; {
	case a == nil:
		return x.Effect
	case a.State == "approved":
		return fmt.Sprintf("approved by %s after %s", strings.Join(a.Approvers, ", "), time.Duration(a.WaitedMS)*time.Millisecond)
	default:
		return x.Effect + ", approval " + a.State
	}
}

func maskedCounts(m map[string]int) string {
	counts := map[string]string{}
	for k, v := range m {
		counts[k] = strconv.Itoa(v)
	}
	return labels(counts)
}

func (a *App) sessionsEndCmd() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "end SESSION", Short: "End a live session at once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			return c.EndSession(cmd.Context(), args[0], reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "ended on request", "what its user is told")
	return cmd
}
