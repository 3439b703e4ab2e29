package policy

import (
	"slices"
	"strings"
)

// SSH is what is known of one SSH action before it happens. Which fields are
// set depends on the verb.
type SSH struct {
	Login string `json:"login,omitempty"` // the user at the target

	// The command of ssh.exec stands in Action.Text. Simple is true where it is
	// one simple command without any expansion, whatever shell reads it; Words
	// are then the program and its arguments. Why says why it is not simple.
	Simple bool     `json:"simple,omitempty"`
	Words  []string `json:"words,omitempty"`
	Why    string   `json:"why,omitempty"`
	// Programs are those that a command names anywhere, as far as can be seen;
	// Hidden is true where it may run others as well.
	Programs []string `json:"programs,omitempty"`
	Hidden   bool     `json:"hidden,omitempty"`
	// PTY is true where a shell or command has a terminal.
	PTY bool `json:"pty,omitempty"`

	// Path is the file of an SFTP operation or the socket of a forward, cleaned;
	// NewPath the second one of a rename or link. Relative paths could not be
	// resolved.
	Path    string `json:"path,omitempty"`
	NewPath string `json:"new_path,omitempty"`

	Host string `json:"host,omitempty"` // of a forward
	Port int    `json:"port,omitempty"`

	// Name is an environment variable's or a subsystem's.
	Name string `json:"name,omitempty"`
}

// The verbs of SSH actions.
const (
	SSHShell     = "ssh.shell"     // an interactive shell, with a terminal or without
	SSHExec      = "ssh.exec"      // one command
	SSHSubsystem = "ssh.subsystem" // a subsystem other than sftp
	SSHEnv       = "ssh.env"       // an environment variable that the client sets

	SSHSFTP         = "ssh.sftp"          // the subsystem itself; each operation is asked for as well
	SSHSFTPRead     = "ssh.sftp_read"     // open a file for reading
	SSHSFTPWrite    = "ssh.sftp_write"    // open a file for writing, create, append or truncate it
	SSHSFTPList     = "ssh.sftp_list"     // list a folder
	SSHSFTPStat     = "ssh.sftp_stat"     // metadata of files and file systems, links and real paths
	SSHSFTPSetstat  = "ssh.sftp_setstat"  // permissions, owners, times, size
	SSHSFTPMkdir    = "ssh.sftp_mkdir"    // make a folder
	SSHSFTPRmdir    = "ssh.sftp_rmdir"    // remove a folder
	SSHSFTPRemove   = "ssh.sftp_remove"   // remove a file
	SSHSFTPRename   = "ssh.sftp_rename"   // rename, and so perhaps replace
	SSHSFTPLink     = "ssh.sftp_link"     // make a symbolic or hard link
	SSHForwardLocal = "ssh.forward_local" // a conn that the target opens for the client: -L, -D, -W

	SSHForwardRemote = "ssh.forward_remote" // a listener at the target for the client: -R
	SSHAgent         = "ssh.agent"          // the client's agent, offered to the target
	SSHX11           = "ssh.x11"            // the client's display, offered to the target
	SSHUnknown       = "ssh.unknown"        // a request that nobody understands
)

// Runs tells people which programs a command names, and that there may be
// others; empty for what is no command.
func (f *SSH) Runs() string {
	text := strings.Join(f.Programs, ", ")
	switch {
	case f.Hidden && text == "":
		return "programs that cannot be seen"
	case f.Hidden:
		return text + " and others that cannot be seen"
	}
	return text
}

// SSHVerbs lists the verbs of the SSH engine.
func SSHVerbs() []string {
	return []string{SSHShell, SSHExec, SSHSubsystem, SSHEnv, SSHSFTP, SSHSFTPRead, SSHSFTPWrite, SSHSFTPList, SSHSFTPStat, SSHSFTPSetstat,
		SSHSFTPMkdir, SSHSFTPRmdir, SSHSFTPRemove, SSHSFTPRename, SSHSFTPLink, SSHForwardLocal, SSHForwardRemote, SSHAgent, SSHX11,
		SSHUnknown}
}

// KnownSSHVerb reports whether a verb is one of the SSH engine's.
func KnownSSHVerb(verb string) bool { return slices.Contains(SSHVerbs(), verb) }

// Durable reports whether an action has an effect, so that its event must have
// reached the disk before the action is forwarded.
func (a *Action) Durable() bool {
	switch a.Verb {
	case SSHEnv, SSHSFTPRead, SSHSFTPList, SSHSFTPStat:
		return false
	}
	return a.SQL == nil || a.SQL.Durable()
}
