// Package cli is the command line of hoop: one file a command, and the only
// place that wires the parts together.
//
// # Scope
//
// It reads flags, prints for people and scripts, and maps errors to exit
// codes. What it prints on standard output is data; everything else goes to
// standard error.
package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// App is what every command works with.
type App struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string

	// Set by global flags.
	output  string
	noInput bool
	noColor bool
	timeout time.Duration
	verbose bool
	dir     string // of the client's files; "" for the usual one
	// tokenFile holds a token of an issuer that stands for a sign-in.
	tokenFile string
	started   bool // the command line was understood

	// hasChild is set while a program that hoop runs gets the signals.
	hasChild atomic.Bool
}

// Main runs one command line and gives its exit code.
func Main(args []string) int {
	app := &App{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go app.obey(ctx, signals, cancel)
	return app.Run(ctx, args)
}

// obey ends the command at the first signal, in order, and at the second at
// once: something does not let go. It lives as long as the process.
func (a *App) obey(ctx context.Context, signals <-chan os.Signal, cancel context.CancelCauseFunc) {
	for s := range signals {
		number, ok := s.(syscall.Signal)
		if !ok || a.hasChild.Load() {
			continue
		}
		if ctx.Err() != nil {
			os.Exit(exitSignal + int(number))
		}
		cancel(signalError{number})
	}
}

// Run runs one command line.
func (a *App) Run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if !a.started {
		err = usageError{err}
		a.guessOutput(args)
	}
	if cmd.Context() == nil {
		cmd.SetContext(ctx)
	}
	return a.fail(cmd, err)
}

// guessOutput finds out how to print where the command line was not understood.
func (a *App) guessOutput(args []string) {
	if a.output == "" {
		a.output = a.Getenv("HOOP_OUTPUT")
	}
	for i, arg := range args {
		if arg == "--" {
			return
		}
		if arg == "-ojson" || arg == "-o=json" || arg == "--output=json" ||
			(arg == "-o" || arg == "--output") && i+1 < len(args) && args[i+1] == "json" {
			a.output = "json"
		}
	}
}

func (a *App) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hoop",
		Short: "Access that can be answered for",
		Long: "hoop connects people, scripts and agents to databases and machines through a\n" +
			"broker that knows who they are, decides on every statement and command, masks\n" +
			"what is sensitive and keeps a record that can be checked.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.DisableDefaultCmd = true
	f := root.PersistentFlags()
	f.StringVarP(&a.output, "output", "o", "", "how to print: table or json")
	f.BoolVar(&a.noInput, "no-input", a.Getenv("HOOP_NO_INPUT") != "", "never ask; fail where a question would be needed")
	f.BoolVar(&a.noColor, "no-color", a.Getenv("NO_COLOR") != "", "no colours")
	f.DurationVar(&a.timeout, "timeout", 0, "give up after this long, with exit code 124 (0 is never)")
	f.StringVar(&a.tokenFile, "token-file", "", "sign in for this command with the token in this file, read again on each use")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "say more on standard error")
	_ = root.RegisterFlagCompletionFunc("output", words("table", "json"))
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.prepare(cmd) }
	for _, c := range a.commands() {
		root.AddCommand(c)
	}
	return root
}

// commands is the table of all commands, in the order in which help lists them.
func (a *App) commands() []*cobra.Command {
	return []*cobra.Command{
		a.loginCmd(), a.logoutCmd(), a.whoamiCmd(), a.listCmd(), a.connectCmd(), a.sshCmd(), a.sessionsCmd(),
		a.approvalsCmd(), a.approveCmd(), a.denyCmd(), a.requestCmd(), a.grantsCmd(), a.tuiCmd(),
		a.policyCmd(), a.discoverCmd(), a.maskCmd(), a.credentialCmd(), a.brokerCmd(), a.issuerCmd(), a.auditCmd(), a.demoCmd(),
		a.completionCmd(), a.versionCmd(), a.sqlWorkerCmd(), a.sshProxyCmd(),
	}
}

// prepare checks the global flags and arms the timeout.
func (a *App) prepare(cmd *cobra.Command) error {
	if a.output == "" {
		a.output = a.Getenv("HOOP_OUTPUT")
	}
	switch a.output {
	case "", "table", "json":
	default:
		return usagef("--output %q is neither table nor json", a.output)
	}
	if a.timeout < 0 {
		return usagef("--timeout must not be negative")
	}
	a.started = true
	if a.timeout > 0 {
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), a.timeout, errTimeout)
		context.AfterFunc(ctx, cancel)
		cmd.SetContext(ctx)
	}
	return nil
}

func (a *App) json() bool { return a.output == "json" }

// interactive reports whether a person sits at both ends.
func (a *App) interactive() bool {
	return !a.noInput && isTerminal(a.In) && isTerminal(a.Err)
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// configDir is where the client keeps its files.
func (a *App) configDir() (string, error) {
	if a.dir != "" {
		return a.dir, nil
	}
	if dir := a.Getenv("HOOP_CONFIG_DIR"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the configuration folder: %w", err)
	}
	return filepath.Join(dir, "hoop"), nil
}

// notef tells something beside the data: a line for people, or an object for
// scripts, so that every line on standard error is one of a kind.
func (a *App) notef(format string, args ...any) {
	if text := strings.TrimRight(fmt.Sprintf(format, args...), "\n"); a.json() {
		line, _ := json.Marshal(map[string]any{"v": 1, "note": text})
		_, _ = fmt.Fprintln(a.Err, string(line))
	} else {
		_, _ = fmt.Fprintln(a.Err, "hoop:", text)
	}
}
