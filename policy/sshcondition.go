package policy

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
)

// celSSH is `ssh` as expressions see it.
type celSSH struct {
	Command   string   `json:"command"`
	Words     []string `json:"words"`
	Programs  []string `json:"programs"`
	Simple    bool     `json:"simple"`
	PTY       bool     `json:"pty"`
	Path      string   `json:"path"`
	NewPath   string   `json:"new_path"`
	Host      string   `json:"host"`
	Port      int      `json:"port"`
	Login     string   `json:"login"`
	EnvName   string   `json:"env_name"`
	Subsystem string   `json:"subsystem"`
}

func sshOf(a *Action) *celSSH {
	f := a.SSH
	if f == nil {
		return &celSSH{}
	}
	out := &celSSH{Words: f.Words, Programs: f.Programs, Simple: f.Simple, PTY: f.PTY, Path: f.Path, NewPath: f.NewPath,
		Host: f.Host, Port: f.Port, Login: f.Login}
	switch a.Verb {
	case SSHExec:
		out.Command = a.Text
	case SSHEnv:
		out.EnvName = f.Name
	case SSHSFTP:
		out.Subsystem = "sftp"
	case SSHSubsystem:
		out.Subsystem = f.Name
	}
	return out
}

// sshUse lists the fields of `ssh` that an expression reads.
func sshUse(a *ast.AST) (reads bool, fields []string) {
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			reads = reads || e.AsIdent() == "ssh"
		case ast.SelectKind:
			s := e.AsSelect()
			if o := s.Operand(); o.Kind() == ast.IdentKind && o.AsIdent() == "ssh" && !slices.Contains(fields, s.FieldName()) {
				fields = append(fields, s.FieldName())
			}
		}
	}))
	return reads, fields
}

// appliesTo reports whether actions with the verb have all that the condition
// reads of `ssh`.
func (c *condition) appliesTo(verb string) bool {
	for _, field := range c.sshFields {
		ok := true
		switch field {
		case "command", "words", "programs", "simple":
			ok = verb == SSHExec
		case "pty":
			ok = verb == SSHExec || verb == SSHShell
		case "path", "new_path":
			ok = hasPath(verb)
		case "host", "port":
			ok = verb == SSHForwardLocal || verb == SSHForwardRemote
		case "env_name":
			ok = verb == SSHEnv
		case "subsystem":
			ok = verb == SSHSubsystem || verb == SSHSFTP
		}
		if !ok {
			return false
		}
	}
	return true
}

// unsure reports whether the condition reads what of this request is not
// certain: the words of a command that is not simple, where a relative path
// leads, anything of what was not understood.
func (c *condition) unsure(s *subject) bool {
	if !s.isSSH {
		return false
	}
	for _, field := range c.sshFields {
		unsure := s.dark
		switch field {
		case "login":
			unsure = false
		case "words":
			unsure = s.dark || s.Action.Verb == SSHExec && !s.ssh.Simple
		case "programs":
			unsure = s.dark || s.Action.Verb == SSHExec && s.ssh.Hidden
		case "env_name":
			unsure = s.dark || s.Action.Verb == SSHEnv && !variable(s.ssh.Name)
		case "path", "new_path":
			unsure = s.dark || relative(s.ssh.Path) || relative(s.ssh.NewPath)
		}
		if unsure {
			return true
		}
	}
	return false
}

// relative reports whether there is a path that does not begin at the root.
func relative(path string) bool { return path != "" && !strings.HasPrefix(path, "/") }
