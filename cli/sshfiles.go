package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"hoop/broker/api"
	"hoop/cli/sshconfig"
)

// sshFiles gives the files for OpenSSH's client, written anew where they are
// not those of this broker. c may be nil.
func (a *App) sshFiles(ctx context.Context, c *api.Client) (*sshconfig.Files, error) {
	p, err := a.loadProfile()
	if err != nil {
		return nil, err
	}
	f, err := a.newSSHFiles(p)
	if err != nil || f.Current() {
		return f, err
	}
	return f, a.writeSSHFiles(ctx, c, p, f)
}

func (a *App) newSSHFiles(p *profile) (*sshconfig.Files, error) {
	dir, err := a.configDir()
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	program, err := ownPath()
	return &sshconfig.Files{Dir: dir, Program: program, Broker: p.Broker}, err
}

// writeSSHFiles asks the broker for its authority and writes the files.
func (a *App) writeSSHFiles(ctx context.Context, c *api.Client, p *profile, f *sshconfig.Files) error {
	if c == nil {
		d, err := a.dialer(p)
		if err != nil {
			return err
		}
		c = &api.Client{Dialer: d}
	}
	info, err := c.Info(ctx)
	if err != nil {
		return err
	}
	if info.SSHHostCA == "" {
		return &exitError{code: exitFailure, word: "unsupported", err: errors.New("the broker is too old to serve SSH: it names no authority for host keys")}
	}
	f.HostCAs = []string{info.SSHHostCA}
	return f.Write()
}

// refreshTime bounds what a sign-in spends on the files.
const refreshTime = 10 * time.Second

// refreshSSHFiles keeps files that are there current after a sign-in, which
// does not fail for them.
func (a *App) refreshSSHFiles(ctx context.Context, p *profile) {
	f, err := a.newSSHFiles(p)
	if err != nil || !sshconfig.Exists(f.Dir) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	if err := a.writeSSHFiles(ctx, nil, p, f); err != nil {
		a.notef("the files for ssh could not be refreshed, run hoop ssh config install: %v", err)
	}
}

// ownPath is where this program is, by the name that stays when it is replaced
// with a newer one.
func ownPath() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	named, err := exec.LookPath(os.Args[0])
	if err != nil {
		return exe, nil
	}
	if named, err = filepath.Abs(named); err != nil {
		return exe, nil
	}
	a, aerr := os.Stat(named)
	b, berr := os.Stat(exe)
	if errors.Join(aerr, berr) == nil && os.SameFile(a, b) {
		return named, nil
	}
	return exe, nil
}
