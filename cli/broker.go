package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"hoop/broker/config"
	"hoop/cli/serve"
	"hoop/cli/setup"
)

func (a *App) brokerCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "broker", Short: "Run and set up a broker", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.brokerRunCmd(), a.brokerInitCmd(), a.brokerCheckCmd(), a.brokerSSHCACmd())
	return cmd
}

func (a *App) brokerRunCmd() *cobra.Command {
	var path, logFormat string
	cmd := &cobra.Command{
		Use: "run", Short: "Run the broker until SIGTERM; SIGHUP reloads the configuration", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := a.logger(logFormat)
			if err != nil {
				return err
			}
			return a.runBroker(cmd.Context(), path, log)
		},
	}
	cmd.Flags().StringVar(&path, "config", "hoop.yaml", "the configuration")
	cmd.Flags().StringVar(&logFormat, "log-format", "", "how to log on standard error: text or json (default: as --output)")
	return cmd
}

func (a *App) logger(format string) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if a.verbose {
		o.Level = slog.LevelDebug
	}
	if format == "" && a.json() {
		format = "json"
	}
	switch format {
	case "", "text":
		return slog.New(slog.NewTextHandler(a.Err, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.Err, o)), nil
	default:
		return nil, usagef("--log-format %q is neither text nor json", format)
	}
}

func (a *App) runBroker(ctx context.Context, path string, log *slog.Logger) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	b, err := serve.Start(ctx, serve.Options{Config: cfg, Version: version, Logger: log, Ask: a.askPassphrase(ctx)})
	if err != nil {
		return err
	}
	log.Info("broker is ready", "address", b.Addr(), "issuer", b.Issuer(), "connections", len(cfg.Connections))
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-hangup:
			if err := b.Reload(); err != nil {
				log.Error("configuration not reloaded; the old one stays in force", "error", err)
				continue
			}
			log.Info("configuration reloaded")
		case err := <-b.Failed():
			b.Stop(expired())
			return err
		case <-ctx.Done():
			wait := cfg.Limits.Drain.Or(30 * time.Second)
			log.Info("draining", "at_most", wait)
			drain, cancel := context.WithTimeout(context.Background(), wait)
			defer cancel()
			b.Stop(drain)
			return nil
		}
	}
}

// expired is a context that gives no time.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (a *App) brokerCheckCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "check", Short: "Check a configuration: keys, rules, credentials", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			if err := serve.Check(cmd.Context(), cfg, a.askPassphrase(cmd.Context())); err != nil {
				return err
			}
			a.notef("%s is good: %d connections, %d credentials", path, len(cfg.Connections), len(cfg.Credentials))
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "config", "hoop.yaml", "the configuration")
	return cmd
}

func (a *App) brokerInitCmd() *cobra.Command {
	o := setup.Options{}
	cmd := &cobra.Command{
		Use: "init [DIR]", Short: "Write a commented configuration, a first policy and keys", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Dir = "."
			if len(args) == 1 {
				o.Dir = args[0]
			}
			if _, _, err := net.SplitHostPort(o.Listen); err != nil {
				return usagef("--listen %q is not host:port", o.Listen)
			}
			if len(o.Hosts) == 0 || slices.Contains(o.Hosts, "") {
				return usagef("--host must name a host")
			}
			written, err := setup.Write(o)
			if errors.Is(err, fs.ErrExist) {
				return &exitError{code: exitFailure, word: "exists", err: fmt.Errorf("there is a broker already: %w", err),
					hint: "choose another folder"}
			}
			if err != nil {
				return err
			}
			return a.printInit(o.Dir, written)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8443", "the address to serve")
	f.StringSliceVar(&o.Hosts, "host", []string{"localhost", "127.0.0.1", "::1"}, "names and addresses for the certificate")
	f.BoolVar(&o.EmbeddedIssuer, "embedded-issuer", false, "add an OpenID provider for one laptop")
	return cmd
}

func (a *App) printInit(dir string, written []string) error {
	if a.json() {
		return a.printJSON(map[string]any{"v": 1, "written": written})
	}
	for _, path := range written {
		if _, err := fmt.Fprintln(a.Out, path); err != nil {
			return err
		}
	}
	a.notef("next: edit %s/%s, then hoop broker check and hoop broker run", dir, setup.ConfigFile)
	return nil
}
