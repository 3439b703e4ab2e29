package cli

import (
	"context"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"hoop/broker/api"
)

// connectOptions is what hoop connect was asked for.
type connectOptions struct {
	name    string
	command []string
	listen  bool
	port    int
	socket  string
	format  string
	noWait  bool
	why     api.Purpose
	// unchecked lets a TCP port be opened where nobody can say who uses it.
	unchecked bool
}

func (a *App) connectCmd() *cobra.Command {
	o := connectOptions{}
	cmd := &cobra.Command{
		Use:   "connect NAME [-- COMMAND...]",
		Short: "Use a connection: open a client, run a command, or keep a listener",
		Long: "On a terminal, starts a client: psql, or ssh. With a command, runs that on this\n" +
			"machine and returns its exit code: for a database with PGHOST, PGPORT, PGUSER,\n" +
			"PGPASSWORD and PGDATABASE set; for SSH with an ssh, scp and sftp on its PATH that\n" +
			"reach NAME.hoop, so that rsync, git or ansible do, too. With --listen, keeps a\n" +
			"local listener that only you can use, and prints how.",
		Example: "  hoop connect prod-db\n  hoop connect prod-db -- pg_dump -t orders\n" +
			"  hoop connect web-1\n  hoop connect web-1 -- rsync -a site/ web-1.hoop:/srv/site/\n" +
			"  hoop connect prod-db --listen\n  eval \"$(hoop connect prod-db --listen --format env &)\"",
		Args: func(cmd *cobra.Command, args []string) error {
			n := cmd.ArgsLenAtDash()
			if len(args) == 0 || n == 0 || n < 0 && len(args) > 1 || n > 1 {
				return usagef("give one connection, and a command only after --")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name, o.command = args[0], args[1:]
			return a.connect(cmd, &o)
		},
		ValidArgsFunction: a.completeConnections,
	}
	f := cmd.Flags()
	f.BoolVarP(&o.listen, "listen", "l", false, "keep a listener until interrupted")
	f.IntVar(&o.port, "port", 0, "the TCP port to listen on (default: one that stays the same for this connection)")
	f.StringVar(&o.socket, "socket-dir", "", "the folder for the unix socket (default: one below the runtime folder)")
	f.StringVar(&o.format, "format", "text", "with --listen, how to print its use: text, env, uri, json, service (postgres) or config (ssh)")
	_ = cmd.RegisterFlagCompletionFunc("format", words("text", "env", "uri", "service", "config", "json"))
	f.BoolVar(&o.unchecked, "allow-unchecked-tcp", false,
		"open a TCP port also where the system cannot say who uses it (macOS, Windows): all users of this machine can, as you")
	f.BoolVar(&o.noWait, "no-wait", false, "do not wait for an approval: exit with code 8 and its number")
	f.StringVar(&o.why.Reason, "reason", "", "what it is for: who answers an approval reads it")
	f.StringVar(&o.why.Ticket, "ticket", "", "a ticket that says more")
	return cmd
}

func (a *App) connect(cmd *cobra.Command, o *connectOptions) error {
	if err := a.checkConnect(cmd, o); err != nil {
		return err
	}
	if !o.listen {
		cmd.Annotations = map[string]string{wrapsProgram: "yes"}
	}
	ctx, stop := untilHangup(cmd.Context())
	defer stop()
	c, signer, err := a.signedClient(ctx)
	if err != nil {
		return err
	}
	defer a.keepSignedIn(ctx, signer)()
	conn, err := c.Connection(ctx, o.name)
	if err != nil {
		return err
	}
	speaks := protocolOf(conn.Protocol)
	if speaks == nil {
		return &exitError{code: exitFailure, word: "unsupported", err: fmt.Errorf("%s speaks %s, which this version cannot open", o.name, conn.Protocol)}
	}
	if o.noWait && conn.Effect == "require_approval" {
		return a.askToOpen(ctx, c, o)
	}
	if o.listen {
		return a.listen(ctx, c, conn, o)
	}
	return speaks.run(a, ctx, c, conn, o)
}

// askToOpen asks for an hour's grant, unless that waits already, and does not
// wait for it.
func (a *App) askToOpen(ctx context.Context, c *api.Client, o *connectOptions) error {
	who, err := c.Whoami(ctx)
	if err != nil {
		return err
	}
	open, err := c.Approvals(ctx, "pending")
	if err != nil {
		return err
	}
	for i := range open {
		if x := &open[i]; x.Connection == o.name && x.Kind == "session" && x.RequesterID == who.Principal.ID && x.Session == "" {
			return pending(x)
		}
	}
	in := &api.AccessRequest{Connection: o.name, ForSec: 3600, Reason: o.why.Reason, Ticket: o.why.Ticket}
	if in.Reason == "" {
		in.Reason = "hoop connect --no-wait"
	}
	got, err := c.RequestAccess(ctx, in)
	if err != nil {
		return err
	}
	if got.Approval == nil { // since a moment ago
		return &api.Error{Code: api.CodeInternal, Message: "no approval is needed any more", Hint: "run the command again"}
	}
	return pending(got.Approval)
}

// untilHangup ends what listens when its terminal goes, so that no socket stays
// behind.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

func (a *App) checkConnect(cmd *cobra.Command, o *connectOptions) error {
	if known := []string{"text", "env", "uri", "service", "config", "json"}; !slices.Contains(known, o.format) {
		return usagef("--format %q is none of %s", o.format, strings.Join(known, ", "))
	}
	if a.json() {
		o.format = "json"
	}
	if err := o.why.Check(); err != nil {
		return usagef("--reason, --ticket: %v", err)
	}
	switch {
	case o.listen && len(o.command) > 0:
		return usagef("--listen and a command exclude each other")
	case o.port < 0 || o.port > 65535:
		return usagef("--port %d is no port", o.port)
	case !o.listen && (o.port != 0 || o.socket != "" || cmd.Flags().Changed("format")):
		return usagef("--port, --socket-dir and --format go with --listen")
	}
	if !o.listen && len(o.command) == 0 && (!isTerminal(a.In) || !isTerminal(a.Out)) {
		return usagef("there is no terminal for a client; give a command after --, or --listen")
	}
	return nil
}
