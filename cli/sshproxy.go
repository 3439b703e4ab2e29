package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"hoop/broker/api"
	"hoop/cli/sshconfig"
	"hoop/tunnel"
)

// sshProxyCmd is what ssh starts as ProxyCommand.
func (a *App) sshProxyCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ssh-proxy HOST [USER [PORT]]", Short: "Carry an SSH client's bytes on standard input and output (ProxyCommand)", Hidden: true,
		Args: cobra.RangeArgs(1, 3), // user and port are told in SSH itself, or nobody's business
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.sshProxy(cmd.Context(), args[0])
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&a.dir, "config-dir", "", "the client's folder, as HOOP_CONFIG_DIR")
	return cmd
}

func (a *App) sshProxy(ctx context.Context, host string) error {
	if isTerminal(a.Err) {
		a.Err = &rawLines{a.Err}
	}
	name := strings.TrimSuffix(strings.ToLower(host), sshconfig.Suffix)
	why := api.Purpose{Reason: a.Getenv("HOOP_REASON"), Ticket: a.Getenv("HOOP_TICKET")}
	if err := why.Check(); err != nil {
		return usagef("HOOP_REASON, HOOP_TICKET: %v", err)
	}
	c, signer, err := a.signedClient(ctx)
	if err != nil {
		return err
	}
	stream, err := c.Open(ctx, name, "ssh", why)
	if err != nil {
		return a.withNearNames(ctx, c, name, err)
	}
	defer a.keepSignedIn(ctx, signer)()
	return a.carryStdio(ctx, name, stream)
}

// proxyLinger is how long the broker may take to end a session once ssh is gone.
const proxyLinger = 2 * time.Second

// carryStdio carries bytes until either side ends. The reader of standard input
// ends with the process: nothing can interrupt it.
func (a *App) carryStdio(ctx context.Context, name string, s *tunnel.Stream) error {
	// ssh itself answers Ctrl-C, which the keyboard sends to this process too.
	a.hasChild.Store(true)
	signal.Ignore(syscall.SIGPIPE) // an error of the write, and then an orderly end
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGTERM)
	defer stop()
	widen(a.In)
	widen(a.Out)
	up, down := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(up)
		if _, err := s.ReadFrom(a.In); err == nil {
			_ = s.CloseWrite()
		}
	}()
	go func() {
		_, err := s.WriteTo(a.Out)
		down <- err
	}()
	var err error
	ended := false
	select {
	case err = <-down:
		ended = true
	case <-up:
	case <-ctx.Done():
	}
	if !ended {
		select {
		case <-down: // ssh is gone: nobody to tell how
		case <-time.After(proxyLinger):
		}
	}
	_ = s.Close()
	return sessionEnd(name, err)
}

// sessionEnd tells an end that the client did not ask for.
func sessionEnd(name string, err error) error {
	var broken *tunnel.CloseError
	if errors.As(err, &broken) && broken.Code != tunnel.CloseDone {
		return &exitError{code: exitFailure, word: "session_ended", err: fmt.Errorf("%s: the session ended: %w", name, broken)}
	}
	return nil
}

// rawLines ends lines as a terminal needs it that ssh has made raw.
type rawLines struct{ io.Writer }

// Write writes the lines of p.
func (w *rawLines) Write(p []byte) (int, error) {
	if _, err := w.Writer.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}
