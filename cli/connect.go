package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
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
		Long: "On a terminal, starts psql on the connection. With a command, runs it with\n" +
			"PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE set and returns its exit code.\n" +
			"With --listen, keeps a local listener that only you can use, and prints how.",
		Example: "  hoop connect prod-db\n  hoop connect prod-db -- pg_dump -t orders\n" +
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
	f.StringVar(&o.format, "format", "text", "with --listen, how to print its use: text, env, uri, service or json")
	_ = cmd.RegisterFlagCompletionFunc("format", words("text", "env", "uri", "service", "json"))
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
	if conn.Protocol != "postgres" {
		return &exitError{code: exitFailure, word: "unsupported", err: fmt.Errorf("%s speaks %s, which this version cannot open", o.name, conn.Protocol)}
	}
	if o.noWait && conn.Effect == "require_approval" {
		return a.askToOpen(ctx, c, o)
	}
	if o.listen {
		return a.listen(ctx, c, conn, o)
	}
	return a.runCommand(ctx, c, conn, o)
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
	switch o.format {
	case "text", "env", "uri", "service", "json":
	default:
		return usagef("--format %q is none of text, env, uri, service, json", o.format)
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
		return usagef("there is no terminal for psql; give a command after --, or --listen")
	}
	return nil
}

// runCommand runs a program on a listener of its own and passes its exit code
// on.
func (a *App) runCommand(ctx context.Context, c *api.Client, conn *api.Connection, o *connectOptions) error {
	d, err := a.openDoor(c, conn, doorOptions{anyPort: true, unchecked: o.unchecked, why: o.why})
	if err != nil {
		return err
	}
	if text := d.caution(); text != "" && (d.unchecked || len(o.command) > 0) {
		a.notef("%s: %s", conn.Name, text)
	}
	serveCtx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); d.serve(serveCtx) }()
	defer func() { stop(); <-done }()
	env := d.env()
	argv := o.command
	if len(argv) == 0 {
		argv = []string{"psql"}
		env = d.socketEnv()
	}
	return a.runChild(ctx, argv, append(withoutLibpq(os.Environ()), env...), forwarded()...)
}
