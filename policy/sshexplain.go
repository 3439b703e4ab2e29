package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// engine is the first part of the verb.
func (s *subject) engine() string {
	engine, _, _ := strings.Cut(s.Action.Verb, ".")
	return engine
}

// describe says what a matcher asks and what the request has.
func (m *sshMatch) describe(st stage, s *subject) string {
	if st == stageSSHUnknown {
		return wants(fmt.Sprintf("unknown: %t", *m.unknown), fmt.Sprintf("%t", s.dark))
	}
	if !m.reaches(st, s.Action.Verb) {
		return fmt.Sprintf("%s has none", s.Action.Verb)
	}
	f := s.ssh
	switch st {
	case stageLogins:
		return wants(m.logins.String(), f.Login)
	case stageSimple:
		return describeSimple(*m.simple, f)
	case stagePTY:
		return wants(fmt.Sprintf("pty: %t", *m.pty), fmt.Sprintf("%t", f.PTY))
	case stagePorts:
		return wants(m.ports.String(), port(f))
	case stageHosts:
		return m.describeHosts(f)
	case stageEnv:
		return wants(m.env.String(), f.Name)
	case stageSubsystems:
		return wants(m.subsystems.String(), f.Name)
	case stageFiles:
		return describeFiles(m.paths, f, moves(s.Action.Verb))
	case stageOnlyFiles:
		return describeFiles(m.onlyPaths, f, false)
	case stageCommands:
		return m.describeCommands(s)
	}
	return ""
}

func describeSimple(want bool, f *SSH) string {
	if want {
		return "the command is not a simple one: " + f.Why
	}
	return "the command is a simple one"
}

func port(f *SSH) string {
	switch {
	case f.socket():
		return "the socket " + f.Path
	case f.Port == 0:
		return "one that the target chooses"
	}
	return strconv.Itoa(f.Port)
}

func (m *sshMatch) describeHosts(f *SSH) string {
	switch {
	case f.socket():
		return wants(m.hosts.String(), "the socket "+f.Path)
	case m.hosts.match(f.Host) == may:
		return fmt.Sprintf("%q may or may not be one of %s", f.Host, m.hosts)
	}
	return wants(m.hosts.String(), f.Host)
}

func describeFiles(ps filePatterns, f *SSH, moves bool) string {
	names := []string{f.Path}
	if f.NewPath != "" {
		names = append(names, f.NewPath)
	}
	for _, n := range names {
		if ps.match(n) == may {
			return fmt.Sprintf("where %q leads is not known: only a path from the root is", n)
		}
		if moves && ps.match(n) == no && ps.above(n) {
			return fmt.Sprintf("%q is a folder in which there may be some of %s", n, ps)
		}
	}
	return wants(ps.String(), strings.Join(names, ", "))
}

// describeCommands says why a command is not surely one of those that a rule
// lists, and where it was found in it.
func (m *sshMatch) describeCommands(s *subject) string {
	f := s.ssh
	if m.commands.match(s.Action.Text, f) == no {
		return wants(m.commands.String(), s.Action.Text)
	}
	var why string
	switch {
	case !f.Simple:
		why = "the command is not a simple one: " + f.Why
	case f.Hidden || len(f.Programs) > 1:
		why = "the command runs others"
	default:
		why = fmt.Sprintf("it is not surely one of %s", m.commands)
	}
	if f.Hidden {
		return why + "; what it runs cannot all be seen"
	}
	return why + "; it names " + strings.Join(f.Programs, ", ")
}
