package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

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
	f.BoolVar(&o.noWait, "no-wait", false, "do not wait for an approval: exit with code 8 and its number")
	return cmd
}

func (a *App) connect(cmd *cobra.Command, o *connectOptions) error {
	if err := a.checkConnect(cmd, o); err != nil {
		return err
	}
	if !o.listen {
		cmd.Annotations = map[string]string{wrapsProgram: "yes"}
	}
	ctx := cmd.Context()
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	conn, err := c.Connection(ctx, o.name)
	if err != nil {
		return err
	}
	if conn.Protocol != "postgres" {
		return &exitError{code: exitFailure, word: "unsupported", err: fmt.Errorf("%s speaks %s, which this version cannot open", o.name, conn.Protocol)}
	}
	if o.noWait && conn.Effect == "require_approval" {
		return &api.Error{Code: api.CodeApprovalRequired, Message: "opening " + o.name + " needs an approval", Rule: conn.Rule}
	}
	if o.listen {
		return a.listen(ctx, c, conn, o)
	}
	return a.runCommand(ctx, cmd, c, conn, o)
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
	switch {
	case o.listen && len(o.command) > 0:
		return usagef("--listen and a command exclude each other")
	case o.port < 0 || o.port > 65535:
		return usagef("--port %d is no port", o.port)
	case !o.listen && (o.port != 0 || o.socket != "" || cmd.Flags().Changed("format")):
		return usagef("--port, --socket-dir and --format go with --listen")
	}
	if !o.listen && len(o.command) == 0 {
		if !isTerminal(a.In) || !isTerminal(a.Out) {
			return usagef("there is no terminal for psql; give a command after --, or --listen")
		}
		o.command = []string{"psql"}
	}
	return nil
}

// runCommand runs a program on a listener of its own and passes its exit code
// on. Failures before the program runs exit with 125.
func (a *App) runCommand(ctx context.Context, cmd *cobra.Command, c *api.Client, conn *api.Connection, o *connectOptions) error {
	path, err := exec.LookPath(o.command[0])
	if err != nil {
		return &exitError{code: 127, word: "not_found", err: fmt.Errorf("%s is not installed or not on the PATH", o.command[0])}
	}
	door, err := a.openDoor(c, conn, doorOptions{anyPort: true})
	if err != nil {
		return err
	}
	serveCtx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); door.serve(serveCtx) }()
	defer func() { stop(); <-done }()

	child := exec.CommandContext(ctx, path, o.command[1:]...)
	child.Args[0] = o.command[0]
	child.Env = append(os.Environ(), door.env()...)
	child.Stdin, child.Stdout, child.Stderr = a.In, a.Out, a.Err
	prepareChild(child)
	a.childHasTerminal.Store(true) // Ctrl-C reaches it too: psql cancels its query
	err = child.Run()
	a.childHasTerminal.Store(false)
	var exit *exec.ExitError
	switch {
	case context.Cause(ctx) == errTimeout:
		return errTimeout
	case errors.As(err, &exit):
		return childExit(exitCode(exit))
	case err != nil:
		return fmt.Errorf("run %s: %w", o.command[0], err)
	}
	return nil
}

// lookPath finds a program on the PATH of an environment, the last entry of
// which counts.
func lookPath(name string, env []string) (string, error) {
	if strings.ContainsRune(name, os.PathSeparator) {
		return name, nil
	}
	path := ""
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			path = p
		}
	}
	for _, dir := range filepath.SplitList(path) {
		candidate := filepath.Join(dir, name)
		if found, err := exec.LookPath(candidate); err == nil {
			return found, nil
		}
	}
	return exec.LookPath(name)
}
