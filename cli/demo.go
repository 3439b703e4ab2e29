package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"hoop/broker/api"
	"hoop/cli/demo"
	"hoop/cli/login"
)

func (a *App) demoCmd() *cobra.Command {
	o := demo.Options{Version: version}
	cmd := &cobra.Command{
		Use:   "demo [-- COMMAND...]",
		Short: "Bring up a broker, an issuer and a PostgreSQL, and show hoop at work",
		Long: "Brings up a whole world on this machine and shows it. With a command, runs that\n" +
			"instead, as alice: HOOP_CONFIG_DIR is her client folder and HOOP_DEMO_DIR holds\n" +
			"alice/, bob/, mallory/, hoop.yaml and target.env, which says how to reach the\n" +
			"database directly. Everything goes when the command ends.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
				return usagef("give a command only after --")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.demo(cmd, &o, args) },
	}
	cmd.Flags().StringArrayVar(&o.Init, "init", nil, "load this SQL file as superuser; may be given several times")
	cmd.Flags().StringArrayVar(&o.Overlays, "config", nil, "merge this file's labels, rules, connections; its rules come first")
	return cmd
}

func (a *App) demo(cmd *cobra.Command, o *demo.Options, command []string) error {
	ctx := cmd.Context()
	o.SignIn, o.Progress = a.demoSignIn, a.Err
	if len(command) > 0 {
		cmd.Annotations = map[string]string{wrapsProgram: "yes"}
		if !a.verbose {
			o.Progress = io.Discard
		}
	}
	w, err := demo.Up(ctx, *o)
	if err != nil {
		return err
	}
	defer w.Down()
	stop := a.reloadOnHangup(w)
	defer stop()
	if len(command) == 0 {
		return w.Tour(ctx, demo.TourOptions{Out: a.Out, In: a.In, Interactive: a.interactive() && isTerminal(a.Out), Color: !a.noColor && isTerminal(a.Out)})
	}
	return a.runChild(ctx, command, append(os.Environ(), w.Env("alice")...), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
}

// reloadOnHangup lets tests of the world reload its configuration.
func (a *App) reloadOnHangup(w *demo.World) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangup {
			if err := w.Broker.Reload(); err != nil {
				a.notef("not reloaded: %v", err)
			}
		}
	}()
	return func() { signal.Stop(hangup); close(hangup); <-done }
}

// demoSignIn signs a person in to the client folder in dir.
func (a *App) demoSignIn(ctx context.Context, dir, brokerURL, caFile string, open func(string) error) error {
	env := map[string]string{"HOOP_CONFIG_DIR": dir, "HOOP_KEYRING": "file"}
	as := &App{In: nil, Out: io.Discard, Err: io.Discard, Getenv: func(k string) string { return env[k] }}
	o := &loginOptions{broker: brokerURL, caFile: caFile}
	p, err := as.loginProfile(o)
	if err != nil {
		return err
	}
	d, err := as.dialer(p)
	if err != nil {
		return err
	}
	c := &api.Client{Dialer: d}
	info, err := c.Info(ctx)
	if err != nil {
		return err
	}
	if p.Issuer, err = chooseIssuer(info, ""); err != nil {
		return err
	}
	provider, err := login.Discover(ctx, login.Config{Issuer: p.Issuer.URL, ClientID: p.Issuer.ClientID, Scopes: p.Issuer.Scopes})
	if err != nil {
		return err
	}
	tokens, err := provider.Login(ctx, login.Options{Method: login.Loopback, Out: io.Discard, Open: open, Getenv: as.Getenv})
	if err != nil {
		return err
	}
	return as.keepLogin(ctx, c, p, tokens.IDToken, tokens.RefreshToken)
}
