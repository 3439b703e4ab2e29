package policy

import (
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
)

// SSHRequest is an SSH request as people write one to see what becomes of it.
type SSHRequest struct {
	Command   string `yaml:"command,omitempty" json:"command,omitempty"`
	Path      string `yaml:"path,omitempty" json:"path,omitempty"`
	NewPath   string `yaml:"new_path,omitempty" json:"new_path,omitempty"`
	Host      string `yaml:"host,omitempty" json:"host,omitempty"`
	Port      int    `yaml:"port,omitempty" json:"port,omitempty"`
	Env       string `yaml:"env,omitempty" json:"env,omitempty"` // the name of a variable
	Subsystem string `yaml:"subsystem,omitempty" json:"subsystem,omitempty"`
	Login     string `yaml:"login,omitempty" json:"login,omitempty"`
	PTY       bool   `yaml:"pty,omitempty" json:"pty,omitempty"`
}

// Verb is the verb that follows from what is asked for; empty where none does.
func (q *SSHRequest) Verb() string {
	switch {
	case q.Command != "":
		return SSHExec
	case q.Host != "" || q.Port != 0:
		return SSHForwardLocal
	case q.Env != "":
		return SSHEnv
	case q.Subsystem == "sftp":
		return SSHSFTP
	case q.Subsystem != "":
		return SSHSubsystem
	case q.Path != "" || q.NewPath != "":
		return ""
	}
	return SSHShell
}

// Check says what is wrong with a request under a verb.
func (q *SSHRequest) Check(verb string) error {
	forward := verb == SSHForwardLocal || verb == SSHForwardRemote
	switch {
	case verb == "":
		return fmt.Errorf("what happens to a path is missing: give an action, such as %s", SSHSFTPRead)
	case !KnownSSHVerb(verb):
		return fmt.Errorf("%s is no action of ssh: there are %s", verb, strings.Join(SSHVerbs(), ", "))
	case q.Command != "" && verb != SSHExec, q.Env != "" && verb != SSHEnv, (q.Host != "" || q.Port != 0) && !forward,
		(q.Path != "" || q.NewPath != "") && !hasPath(verb), q.Subsystem != "" && verb != SSHSubsystem && verb != SSHSFTP,
		q.PTY && verb != SSHExec && verb != SSHShell:
		return fmt.Errorf("%s does not have all of that: %s", verb, q)
	case q.Port < 0 || q.Port > 65535:
		return errors.New("the port is none")
	}
	return nil
}

// Action is what an engine would ask a verdict for. Describe fills in what is
// known of a command; it may be nil, and then nothing is.
func (q *SSHRequest) Action(verb string, describe func(string, *SSH)) *Action {
	a := &Action{Verb: verb}
	if !strings.HasPrefix(verb, "ssh.") {
		return a
	}
	a.Text = q.String()
	a.SSH = &SSH{Login: q.Login, PTY: q.PTY, Path: clean(q.Path), NewPath: clean(q.NewPath), Host: q.Host, Port: q.Port,
		Name: q.Env + q.Subsystem}
	if verb == SSHExec && describe != nil {
		describe(q.Command, a.SSH)
	}
	return a
}

func clean(p string) string {
	if p == "" {
		return ""
	}
	return path.Clean(p)
}

// String is what is asked for, without the verb: for a command just that.
func (q *SSHRequest) String() string {
	switch {
	case q.Command != "":
		return q.Command
	case q.Host != "" || q.Port != 0:
		return net.JoinHostPort(q.Host, strconv.Itoa(q.Port))
	}
	return strings.TrimSpace(strings.Join([]string{q.Path, q.NewPath, q.Env, q.Subsystem}, " "))
}
