package policy

import (
	"fmt"
	"slices"
	"strings"
)

// sshMatch is an SSHSpec, compiled. A matcher that was not written is nil.
type sshMatch struct {
	commands             commandPatterns
	paths, onlyPaths     filePatterns
	hosts                hostPatterns
	ports                portRanges
	env                  patterns
	subsystems, logins   patterns
	pty, simple, unknown *bool
}

func (c *ruleCompiler) ssh(path string, spec *SSHSpec, r *rule) {
	m := &sshMatch{pty: spec.PTY, simple: spec.Simple, unknown: spec.Unknown}
	r.ssh = m
	m.commands = each(c.checker, path+".commands", spec.Commands, parseCommand)
	m.paths = each(c.checker, path+".paths", spec.Paths, parseFile)
	m.onlyPaths = each(c.checker, path+".only_paths", spec.OnlyPaths, parseFile)
	m.hosts = each(c.checker, path+".hosts", spec.Hosts, parseHost)
	m.ports = each(c.checker, path+".ports", spec.Ports, parsePorts)
	m.env = c.patterns(path+".env", spec.Env)
	m.subsystems = c.patterns(path+".subsystems", spec.Subsystems)
	m.logins = c.patterns(path+".logins", spec.Logins)
	if len(m.written()) == 0 && spec.Env == nil && spec.Subsystems == nil && spec.Logins == nil {
		c.add(path, "says nothing: give commands, paths, only_paths, hosts, ports, env, subsystems, logins, pty, simple or unknown")
	}
}

// each compiles a list that is present; an empty one can never match.
func each[T any](c *checker, path string, list []string, parse func(string) (T, error)) []T {
	if list == nil {
		return nil
	}
	if len(list) == 0 {
		c.add(path, "is empty, so the rule can never match: leave it out to match everything")
	}
	all := make([]T, 0, len(list))
	for i, s := range list {
		one, err := parse(s)
		if err != nil {
			c.add(fmt.Sprintf("%s[%d]", path, i), "%v", err)
			continue
		}
		all = append(all, one)
	}
	return all
}

// written lists the matchers that are present, as stages.
func (m *sshMatch) written() []stage {
	var stages []stage
	for i, present := range m.present() {
		if present {
			stages = append(stages, stageSSHUnknown+stage(i))
		}
	}
	return stages
}

// present tells which matchers there are, from stageSSHUnknown on.
func (m *sshMatch) present() []bool {
	return []bool{m.unknown != nil, m.logins != nil, m.simple != nil, m.pty != nil, m.ports != nil, m.hosts != nil,
		m.env != nil, m.subsystems != nil, m.paths != nil, m.onlyPaths != nil, m.commands != nil}
}

// sshReachable refuses a rule none of whose actions has what its ssh matchers
// ask for.
func (c *ruleCompiler) sshReachable(path string, r *rule) {
	if r.sql != nil {
		c.add(path, "can never match: nothing is both an SQL statement and an SSH request")
		return
	}
	stages := r.ssh.written()
	reached := slices.ContainsFunc(SSHVerbs(), func(verb string) bool {
		return (r.actions == nil || r.actions.matches(verb)) &&
			!slices.ContainsFunc(stages, func(st stage) bool { return !r.ssh.reaches(st, verb) })
	})
	if !reached {
		words := make([]string, len(stages))
		for i, st := range stages {
			words[i] = st.path()
		}
		c.add(path, "can never match: no action among %s has all of %s", r.actionWords(), strings.Join(words, ", "))
	}
}

func (r *rule) actionWords() string {
	if r.actions == nil {
		return "those of ssh"
	}
	return r.actions.String()
}

// reaches reports whether actions with the verb have what a matcher asks for.
func (m *sshMatch) reaches(st stage, verb string) bool {
	switch st {
	case stageSSHUnknown:
		return *m.unknown == (verb == SSHUnknown)
	case stageSimple, stageCommands:
		return verb == SSHExec
	case stagePTY:
		return verb == SSHExec || verb == SSHShell
	case stagePorts, stageHosts:
		return verb == SSHForwardLocal || verb == SSHForwardRemote
	case stageEnv:
		return verb == SSHEnv
	case stageSubsystems:
		return verb == SSHSubsystem || verb == SSHSFTP
	case stageFiles:
		return hasPath(verb)
	case stageOnlyFiles:
		return hasPath(verb) || verb == SSHSFTP
	}
	return true
}

// hasPath reports whether actions with the verb are about files or sockets.
func hasPath(verb string) bool {
	return strings.HasPrefix(verb, "ssh.sftp_") || verb == SSHForwardLocal || verb == SSHForwardRemote
}

// ask answers from what the request says. Of one that was not understood any
// answer may be true.
func (m *sshMatch) ask(st stage, s *subject) match {
	switch {
	case st == stageSSHUnknown:
		return known(*m.unknown == s.dark)
	case st == stageLogins && s.ssh != nil:
		return named(m.logins, s.ssh.Login)
	case s.dark:
		return may
	case !m.reaches(st, s.Action.Verb):
		return no
	}
	switch st {
	case stageSimple:
		return known(*m.simple == s.ssh.Simple)
	case stagePTY:
		return known(*m.pty == s.ssh.PTY)
	case stagePorts:
		return m.askPorts(s.ssh)
	case stageHosts:
		return m.askHosts(s.ssh)
	case stageEnv:
		return m.askEnv(s.ssh.Name)
	case stageSubsystems:
		return m.askSubsystems(s)
	case stageFiles:
		return m.askFiles(s)
	case stageOnlyFiles:
		return m.askOnlyFiles(s)
	case stageCommands:
		return m.commands.match(s.Action.Text, s.ssh)
	}
	return no
}

// named: a name that nobody gave may be any.
func named(ps patterns, name string) match {
	if name == "" {
		return may
	}
	return known(ps.matches(name))
}

// askEnv: of a name that is none, such as one with a NUL in it, nobody knows
// what the target makes.
func (m *sshMatch) askEnv(name string) match {
	if !variable(name) && !slices.ContainsFunc(m.env, func(p pattern) bool { return p.text == name && !p.prefix }) {
		return may
	}
	return known(m.env.matches(name))
}

// variable reports whether a name is one that every shell takes for a variable.
func variable(name string) bool {
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', i > 0 && c >= '0' && c <= '9':
		default:
			return false
		}
	}
	return name != ""
}

// socket reports whether a forward is to a socket of the file system, which has
// no host and no port.
func (f *SSH) socket() bool { return f.Path != "" }

func (m *sshMatch) askPorts(f *SSH) match {
	if f.socket() {
		return no
	}
	return m.ports.match(f.Port)
}

func (m *sshMatch) askHosts(f *SSH) match {
	if f.socket() {
		return no
	}
	return m.hosts.match(f.Host)
}

func (m *sshMatch) askSubsystems(s *subject) match {
	if s.Action.Verb == SSHSFTP {
		return known(m.subsystems.matches("sftp"))
	}
	return named(m.subsystems, s.ssh.Name)
}

// askFiles: a forward without a path is one to a host.
func (m *sshMatch) askFiles(s *subject) match {
	if s.ssh.Path == "" && !strings.HasPrefix(s.Action.Verb, "ssh.sftp_") {
		return no
	}
	best := m.paths.match(s.ssh.Path)
	if s.ssh.NewPath != "" {
		best = max(best, m.paths.match(s.ssh.NewPath))
	}
	if moves(s.Action.Verb) && (m.paths.above(s.ssh.Path) || m.paths.above(s.ssh.NewPath)) {
		best = max(best, may)
	}
	return best
}

// moves reports whether a verb brings a whole folder to another name, or a name
// to another folder.
func moves(verb string) bool { return verb == SSHSFTPRename || verb == SSHSFTPLink }

// askOnlyFiles: starting SFTP touches no file, and each operation is asked for.
func (m *sshMatch) askOnlyFiles(s *subject) match {
	switch {
	case s.Action.Verb == SSHSFTP:
		return yes
	case s.ssh.Path == "" && !strings.HasPrefix(s.Action.Verb, "ssh.sftp_"):
		return no
	}
	worst := m.onlyPaths.match(s.ssh.Path)
	if s.ssh.NewPath != "" || moves(s.Action.Verb) {
		worst = min(worst, m.onlyPaths.match(s.ssh.NewPath))
	}
	return worst
}
