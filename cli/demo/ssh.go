package demo

import (
	"context"
	"errors"
	"fmt"

	"hoop/cli/demo/sshd"
	"hoop/cli/serve"
)

// SSHConnection is the name of the demo's connection to an SSH server, which
// runs as whoever runs the demo.
const SSHConnection = "demo-ssh"

// startSSH starts the server where the machine has the program: the demo of the
// database needs none.
func (w *World) startSSH(ctx context.Context, o *Options) (err error) {
	w.SSH, err = sshd.Start(ctx, sshd.Options{})
	if errors.Is(err, sshd.ErrNoServer) {
		_, _ = fmt.Fprintln(o.Progress, "demo: without SSH:", err)
		return nil
	}
	return err
}

// trustBroker lets the certificates of the broker log in.
func (w *World) trustBroker() error {
	if w.SSH == nil {
		return nil
	}
	_, user, err := serve.SSHAuthorities(w.Broker.Config())
	if err != nil {
		return err
	}
	return w.SSH.TrustUserCA(user)
}
