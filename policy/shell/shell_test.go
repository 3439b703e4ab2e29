package shell

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSimple(t *testing.T) {
	for text, want := range map[string][]string{
		"systemctl status nginx":                         {"systemctl", "status", "nginx"},
		"  ls   -la  ":                                   {"ls", "-la"},
		"/usr/bin/id":                                    {"/usr/bin/id"},
		"journalctl -u nginx --since='2 h ago'":          {"journalctl", "-u", "nginx", "--since=2 h ago"},
		`grep "a|b; $" f`:                                nil,
		`grep 'a|b; $(x)' f`:                             {"grep", "a|b; $(x)", "f"},
		`grep "a|b; (x) * ~" f`:                          {"grep", "a|b; (x) * ~", "f"},
		"git-upload-pack 'team/repo.git'":                {"git-upload-pack", "team/repo.git"},
		"rsync --server -vlogDtpre.iLsfxCIvu . /srv/app": {"rsync", "--server", "-vlogDtpre.iLsfxCIvu", ".", "/srv/app"},
		"scp -t -- /srv":                                 {"scp", "-t", "--", "/srv"},
		"date +%F":                                       {"date", "+%F"},
		"env A=b printargs":                              {"env", "A=b", "printargs"},
		"/bin/sh -c 'echo ~ && sleep 0'":                 {"/bin/sh", "-c", "echo ~ && sleep 0"},
		"test -f /etc/passwd":                            {"test", "-f", "/etc/passwd"},
		"echo ''":                                        {"echo", ""},
		"helm upgrade --set a.b=c app oci://r/x":         {"helm", "upgrade", "--set", "a.b=c", "app", "oci://r/x"},
	} {
		f := Parse(text)
		if f.Simple != (want != nil) || !cmp.Equal(f.Words, want) {
			t.Errorf("%s: simple %t %q (%s), want %q", text, f.Simple, f.Words, f.Why, want)
		}
	}
}

// What is not simple, and why.
func TestNotSimple(t *testing.T) {
	for text, why := range map[string]string{
		"":                             "it is empty",
		"   ":                          "it is empty",
		"a; b":                         "a list or background command (;) at character 2",
		"a & b":                        "a list or background command (&) at character 3",
		"a | b":                        "a pipe (|) at character 3",
		"a > b":                        "a redirection (>) at character 3",
		"a $(b)":                       "an expansion ($) at character 3",
		"a `b`":                        "an expansion (`) at character 3",
		`a "$b"`:                       "an expansion ($) at character 4",
		"a\nb":                         "a line break at character 2",
		"a\rb":                         "a line break at character 2",
		"a\x00b":                       "a control character (0x00) at character 2",
		"a\tb":                         "a control character (0x09) at character 2",
		"a 'b\nc'":                     "a line break at character 5",
		"a \xff":                       "a character that is not ASCII at character 3",
		"a 'ä'":                        "a character that is not ASCII at character 4",
		"a *":                          "a pattern (*) at character 3",
		"a ~":                          "a pattern (~) at character 3",
		"a {b,c}":                      "a pattern ({) at character 3",
		"a (b)":                        "a subshell (() at character 3",
		`a \b`:                         `an escape (\) at character 3`,
		`a 'b\'`:                       `an escape (\) at character 5`,
		"a !b":                         "history or negation (!) at character 3",
		"a '!b'":                       "history or negation (!) at character 4",
		"! a":                          "history or negation (!) at character 1",
		"a #b":                         "a comment (#) at character 3",
		"A=b c":                        "an assignment (=) at character 2",
		"a =b":                         "a word that begins with = at character 3",
		"a --b==c":                     "an assignment (=) at character 7",
		"a %1":                         "a word that begins with % at character 3",
		"'a' b":                        "a quote where the program's name stands (') at character 1",
		"a 'b'c":                       "a word that goes on after a quoted part, at character 6",
		"a 'b''c'":                     "a word that goes on after a quoted part, at character 6",
		"a 'b":                         "a quote that does not end at character 3",
		"- a":                          "a word that begins with - at character 1",
		"@ a":                          "a word that begins with @ at character 1",
		"exec a":                       "exec is a word of some shell's own, which reads what follows in its own way",
		"time a":                       "time is a word of some shell's own, which reads what follows in its own way",
		"test a -eq b":                 "some shells compute the arguments of test: only test -f PATH and its like are plain",
		strings.Repeat("a", maxText+1): "it is longer than 64 KiB",
	} {
		if f := Parse(text); f.Simple || f.Why != why {
			t.Errorf("%.40q: simple %t, because %q, want %q", text, f.Simple, f.Why, why)
		}
	}
}

func TestPrograms(t *testing.T) {
	for _, c := range []struct {
		text   string
		want   string
		hidden bool
	}{
		{"ls -l", "ls", false},
		{"a; b && c | d &", "a b c d", false},
		{"echo $(rm x) `mv y`", "echo mv rm", false},
		{"echo \"$(rm x)\" <(cat)", "cat echo rm", false},
		{"if a; then b; fi; for i in 1 2; do c; done", "a b c", false},
		{"env -u X A=b rm x", "env rm", false},
		{"env -S 'rm x'", "env rm", false},
		{"env -S'rm x'", "env rm", false},
		{"env --split-string='rm x'", "env rm", false},
		{"sudo -u bob -n rm x", "rm sudo", false},
		{"sudo --user bob rm x", "rm sudo", false},
		{"sudo --us bob -- rm x", "rm sudo", false},
		{"sudo -i", "sudo", true},
		{"sh -c 'rm x; mv y'", "mv rm sh", false},
		{"bash -xec 'rm x' a b", "bash rm", false},
		{"bash -c 'sh -c \"env rm x\"'", "bash env rm sh", false},
		{"sh", "sh", true},
		{"sh -s", "sh", true},
		{"sh script", "sh", true},
		{`sh -c "$X"`, "sh", true},
		{"$X y", "", true},
		{"r''m x", "rm", false},
		{`\rm x`, "rm", false},
		{`r\m x`, "rm", false},
		{`"rm" x`, "rm", false},
		{"eval rm x", "eval rm", false},
		{"eval 'rm x'", "eval rm", false},
		{"nice -n 5 ionice -c 2 timeout -k 3 5 rm x", "ionice nice rm timeout", false},
		{"xargs -n 1 rm", "rm xargs", false},
		{"find / -name x -exec rm y +", "find rm", false},
		{"su -c 'rm x' bob", "bob rm su", false},
		{"su bob -c 'rm x'", "bob rm su", false},
		{"su - bob --command='rm x'", "- bob rm su", false},
		{"su --comm 'rm x'", "rm su", false},
		{"flock /l rm x", "flock rm", false},
		{"flock /l -c 'rm x'", "flock rm", false},
		{"watch -n 1 'rm x; ls'", "ls rm watch", false},
		{"f() { rm x; }; f", "f rm", true},
		{"alias ls=rm", "alias", true},
		{"A=b rm x", "rm", false},
		{"a; and rm x", "a and", true},
		{"coproc rm x | b", "b x", true},
		{"rm x # y", "rm", true},
		{"echo 'a\\' ; rm x", "echo rm", true},
		{"echo !x", "echo", true},
		{"if", "", true},
		{"a 'b", "", true},
		{"r* x", "", true},
		{"while read l; do rm $l; done <<EOF\n$(mv x)\nEOF", "mv read rm", false},
		{"[[ -n $(rm x) ]]", "rm", false},
		{"echo $((a[$(rm x)]))", "echo rm", true},
		{"printf x > >(rm)", "printf rm", false},
	} {
		f := Parse(c.text)
		if got := strings.Join(f.Programs, " "); got != c.want || f.Hidden != c.hidden {
			t.Errorf("%s: %s, hidden %t; want %s, %t", c.text, got, f.Hidden, c.want, c.hidden)
		}
	}
}

// Text that nests as deep as a command can be long, or as deep as the parser is
// let, neither exhausts the stack nor takes long: the test would not end.
func TestHostileNesting(t *testing.T) {
	for _, open := range []string{"(", "$(", "`", "{ ", "$((", "${", "${a:-", "if ", "while ", "case x in x) ", "! ", "<(", "\"$(", "[[ ! ", "[[ ( ", "<<a;",
		"time ", "coproc ", "f() ", "function f ", "a|", "a&&", "$[", "((", "!", "a[", "sh -c '", "eval ", "@(", "select x in ", "'", "\\", "a=(", "let a[", "<<<",
		"$((a?", "$((a+", "$((-", "[[ a && ", "$(su -c 'a' ", "su su -c a ", "eval su $(a) "} {
		for _, n := range []int{maxNesting / len(open), maxNesting, maxText / len(open)} {
			if f := Parse(strings.Repeat(open, n)); f.Simple && !strings.HasPrefix(open, "su") {
				t.Errorf("%d times %q is simple", n, open)
			}
		}
	}
}
