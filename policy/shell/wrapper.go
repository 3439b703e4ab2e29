package shell

import "strings"

// wrapper describes a program whose arguments name another program.
type wrapper struct {
	values  string // short options that take a value
	long    string // long options that take one, apart from their = form; separated by spaces
	code    string // the short option that brings shell text
	text    string // its long form
	group   bool   // code is a flag among others, as in sh -xec TEXT
	late    bool   // options may come after the first word: su bob -c TEXT
	skip    int    // words that come before the program
	assigns bool   // NAME=value may come before it
	joins   bool   // the words are put together and given to a shell
	reads   bool   // without a program it reads commands from elsewhere
}

// wrapperOf knows the usual ones. It is for rules that deny and for people who
// approve; what allows does not look behind a program.
func wrapperOf(name string) (wrapper, bool) {
	switch name {
	case "sh", "bash", "dash", "ash", "zsh", "ksh", "ksh93", "mksh", "fish", "csh", "tcsh", "rbash", "rzsh", "posh", "yash":
		return wrapper{code: "c", text: "command", group: true, values: "oO", long: "rcfile init-file", reads: true}, true
	case "env":
		return wrapper{values: "uC", long: "unset chdir", code: "S", text: "split-string", assigns: true}, true
	case "sudo":
		return wrapper{values: "ugpCcDhRrtTU", long: "user group prompt close-from chdir host chroot role type command-timeout other-user",
			assigns: true, reads: true}, true
	case "doas", "pkexec", "run0":
		return wrapper{values: "uC", long: "user group unit property description setenv chdir nice", reads: true}, true
	case "su", "runuser":
		return wrapper{code: "c", text: "command", late: true, values: "gGsuw", long: "group supp-group shell user whitelist-environment", reads: true}, true
	case "nice", "nohup", "setsid", "command", "builtin", "exec", "nocorrect", "noglob", "busybox", "toybox", "-":
		return wrapper{values: "na", long: "adjustment"}, true
	case "time", "ionice", "stdbuf", "chronic", "unbuffer":
		return wrapper{values: "focnpPuie", long: "format output class classdata pid pgid uid input error"}, true
	case "watch":
		return wrapper{values: "nq", long: "interval equexit", joins: true}, true
	case "timeout":
		return wrapper{values: "ks", long: "kill-after signal", skip: 1}, true
	case "taskset", "chrt", "chroot":
		return wrapper{values: "pTPD", long: "userspec groups", skip: 1}, true
	case "flock":
		return wrapper{values: "wE", long: "wait timeout conflict-exit-code", code: "c", text: "command", skip: 1}, true
	case "script":
		return wrapper{code: "c", text: "command", late: true, values: "IOBTmoE", reads: true}, true
	case "xargs", "parallel":
		return wrapper{values: "aEeIiLlnPsdj", long: "arg-file eof replace max-lines max-args max-procs max-chars delimiter"}, true
	case "unshare", "nsenter", "systemd-run", "strace", "ltrace", "ssh-agent", "dbus-run-session", "fakeroot", "setpriv":
		return wrapper{values: "tpMHuEopePsSGwr", long: "target property machine host unit setenv description slice setuid setgid",
			reads: true}, true
	}
	return wrapper{}, false
}

// option is one word that begins with a dash, read.
type option struct {
	next bool   // its value is the next word
	code bool   // shell text follows
	text string // shell text that is part of it
}

// wrapped follows the program, or the text, behind the options of a wrapper.
func (f *finder) wrapped(w *wrapper, args []word) {
	skip, code, ran, options := w.skip, false, false, true
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case !a.known:
			f.hidden = true
			return
		case options && a.text == "--":
			options = false
		case options && w.isOption(a.text):
			o := w.option(a.text)
			if o.text != "" {
				f.text(o.text)
			}
			code, ran = code || o.code, ran || o.text != ""
			if o.next {
				i++
			}
		case code:
			f.text(a.text)
			code, ran = false, true
			if w.group { // the rest are arguments of the text
				return
			}
		case w.assigns && strings.Contains(a.text, "="):
		case skip > 0:
			skip--
		case w.group: // a script
			f.hidden = true
			return
		case w.joins:
			f.joined(args[i:])
			return
		default:
			f.call(args[i:])
			if !w.late {
				return
			}
		}
	}
	f.hidden = f.hidden || w.reads && !ran
}

func (w *wrapper) isOption(text string) bool {
	return len(text) > 1 && (text[0] == '-' || w.group && text[0] == '+')
}

func (w *wrapper) option(text string) option {
	if strings.HasPrefix(text, "--") {
		return w.longOption(text[2:])
	}
	return w.shortOptions(text[1:])
}

// longOption: options may be shortened (getopt_long).
func (w *wrapper) longOption(text string) option {
	name, value, has := strings.Cut(text, "=")
	if w.text != "" && strings.HasPrefix(w.text, name) {
		return option{code: !has, text: value}
	}
	for _, known := range strings.Fields(w.long) {
		if !has && strings.HasPrefix(known, name) {
			return option{next: true}
		}
	}
	return option{}
}

// shortOptions reads a group of options behind one dash.
func (w *wrapper) shortOptions(group string) option {
	var o option
	for i := range group {
		switch c := group[i : i+1]; {
		case !w.group && strings.Contains(w.code, c) && w.code != "":
			return option{code: i+1 == len(group), text: group[i+1:]}
		case w.group && c == w.code:
			o.code = true
		case strings.Contains(w.values, c):
			o.next = i+1 == len(group)
			return o
		}
	}
	return o
}
