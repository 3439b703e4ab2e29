// Package shell reads the command of an SSH exec request as far as that is
// safe: which program runs with which words, where every shell that a login
// may have reads the same, and which programs are named at all.
//
// # Scope
//
// The text of an exec request is given to the login shell of the target, which
// nobody here knows: it may be sh, dash, bash, ksh, zsh, fish, csh or tcsh. So a
// command counts as simple only where all of them run one program with exactly
// the same words; everything else is text of which nothing is promised. The
// package does not run, rewrite or quote commands, knows nothing of aliases and
// functions of the target, and does not judge: rules do (policy).
package shell

import (
	"path"
	"strings"

	"hoop/policy"
)

// Facts is what can be said of a command. The zero value says that nothing can.
type Facts struct {
	// Simple is true where the command runs one program, Words[0], with the
	// arguments Words[1:], whatever shell reads it. Why says why it is not.
	Simple bool
	Words  []string
	Why    string
	// Programs are those that the command names anywhere, sorted: also in
	// substitutions, and behind env, sudo, sh -c and their like.
	Programs []string
	// Hidden is true where it may run programs that are not among Programs,
	// because their names are computed or the text cannot be followed.
	Hidden bool
}

// maxText bounds how long a command may be, in bytes, to be looked at.
const maxText = 64 << 10

// Parse reads a command. It takes time in proportion to the text and never
// panics; what it cannot read is not simple, and hides programs.
func Parse(command string) Facts {
	if len(command) > maxText {
		return Facts{Why: "it is longer than 64 KiB", Hidden: true}
	}
	words, why := plainWords(command)
	if why == "" {
		why = unlike(words)
	}
	if why == "" && !agreed(command, words) {
		why = "two readers of it do not agree on its words"
	}
	f := Facts{Simple: why == "", Why: why}
	if f.Simple {
		f.Words = words
	}
	f.Programs, f.Hidden = programs(command)
	return f
}

// Describe fills in what rules ask of an exec's command.
func Describe(command string, into *policy.SSH) {
	f := Parse(command)
	into.Simple, into.Words, into.Why = f.Simple, f.Words, f.Why
	into.Programs, into.Hidden = f.Programs, f.Hidden
}

// unlike says why a command whose words are certain is not one program with
// arguments after all.
func unlike(words []string) string {
	first := words[0]
	switch {
	case strings.Contains(notPrograms, " "+first+" "):
		return first + " is a word of some shell's own, which reads what follows in its own way"
	case first == "test" && !plainTest(words[1:]):
		return "some shells compute the arguments of test: only test -f PATH and its like are plain"
	}
	return ""
}

// plainTest: a question about one file is the only test in which no shell
// evaluates arithmetic, and with it subscripts and what they substitute.
func plainTest(args []string) bool {
	return len(args) == 2 && len(args[0]) == 2 && args[0][0] == '-' && strings.Contains("defhLrswx", args[0][1:])
}

// notPrograms are words that mean something to some shell as the first word of
// a command: keywords, and builtins that run, define or compute something from
// their arguments. zsh's arithmetic, for one, runs what a subscript substitutes.
const notPrograms = ` . if then else elif fi do done case esac while until for in function select time coproc foreach end ` +
	`repeat nocorrect noglob always switch default breaksw endsw endif goto onintr begin and or not ` +
	`abbr alias argparse autoload bg bind bindkey block break breakpoint builtin builtins bye caller chdir command ` +
	`commandline compctl compgen complete compopt comparguments compcall compset continue declare dirs disable ` +
	`disown echotc echoti emit emulate enable eval exec exit export fc fg filetest float functions getln getopts glob ` +
	`hash hashstat hist history hup integer jobs let limit local log login logout ls-F mapfile math namespace newgrp ` +
	`notify popd print printenv printf private pushd pushln r random read readarray readonly redirect rehash return ` +
	`sched set setenv setopt setpath settc setty shift shopt source stop suspend telltc termname times trap ttyctl ` +
	`typeset ulimit umask unalias uncomplete unfunction unhash unlimit unset unsetenv unsetopt vared wait watchlog ` +
	`where whence zcompile zle zmodload zparseopts zstyle `

// base is a program's name without its folder, as rules compare it.
func base(name string) string {
	return path.Base(strings.TrimLeft(name, "=")) // zsh: =rm is the path of rm
}
