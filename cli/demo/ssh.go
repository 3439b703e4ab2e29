package demo

import (
	"context"
	"errors"
	"fmt"
	"runtime"

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

// sshSteps is the part of the tour on a machine.
func (w *World) sshSteps() []step {
	ssh := func(command string) []string { return []string{"ssh", SSHConnection, "--", command} }
	mark := w.path("maintenance")
	kernel := map[string]string{"linux": "Linux", "darwin": "Darwin"}[runtime.GOOS] // "" shows anywhere
	return []step{
		{title: "A command on a machine: plain ssh, once hoop ssh config install has run, and no key on this side", person: "alice",
			args: ssh("uname -s"), shows: []string{kernel}},
		{title: "More than a simple command is not what the rule allows: exit code 126, and why", person: "alice",
			args: ssh("uname -r; cat /etc/passwd"), exit: 126, shows: []string{"denied by policy"}, hides: []string{"root:"}},
		{title: "A change to the machine waits, in ssh as it is, until bob approves", person: "alice",
			args: ssh("touch " + mark), shows: []string{"waits for an approval"},
			meanwhile: []step{{person: "bob", args: []string{"approve", "latest-approval", "--comment", "as agreed"}, shows: []string{"approved", "touch " + mark}}}},
		{title: "Bob reads what ran on the machine, and its output as it was seen", person: "bob",
			args: []string{"sessions", "export", "latest-command", "--format", "txt"}, shows: []string{kernel}},
	}
}
