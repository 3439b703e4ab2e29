package shell_test

import (
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hoop/policy"
	"hoop/policy/shell"
)

// What people and programs run every day is simple, but for what is written
// down.
func TestEverydayCommands(t *testing.T) {
	text, err := os.ReadFile("testdata/everyday.txt")
	if err != nil {
		t.Fatal(err)
	}
	simple, all := 0, 0
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		mark, command, _ := strings.Cut(line, " ")
		if mark == "#" {
			continue
		}
		f := shell.Parse(command)
		if f.Simple != (mark == "+") {
			t.Errorf("%s: simple %t (%s)", command, f.Simple, f.Why)
		}
		if all++; f.Simple {
			simple++
		}
	}
	t.Logf("%d of %d everyday commands are simple", simple, all)
}

// drawCommand makes a command that a pattern may match, or nearly.
func drawCommand(t *rapid.T, pattern string) string {
	extra := []string{"rm", "x", "-rf", "/srv/a", "/srv/../etc", ";", "|", "&&", "$(rm)", "`ls`", "$x", "\"a b\"", "--", "A=b", ">", "\\rm", "r''m", "*",
		"~", "\n", "'", "#", "{", "(", ")", "!", "=rm", "a;b", "'a;b'"}
	words := strings.Fields(pattern)
	for i, w := range words {
		if strings.HasSuffix(w, "*") {
			words[i] = strings.TrimRight(w, "*") + rapid.SampledFrom(extra).Draw(t, "word")
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "more") {
		at := rapid.IntRange(0, len(words)).Draw(t, "at")
		words = append(words[:at:at], append([]string{rapid.SampledFrom(extra).Draw(t, "extra")}, words[at:]...)...)
	}
	return strings.Join(words, " ")
}

func drawPattern(t *rapid.T) string {
	words := []string{"rm", "ls", "sudo", "x", "-rf", "/srv/*", "*", "-*", "sh", "-c", "'rm x'", "env", "'a b'"}
	p := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 4).Draw(t, "pattern"), " ")
	if rapid.Bool().Draw(t, "rest") {
		p += " **"
	}
	return p
}

// A pattern allows nothing but simple commands of its own words, and what it
// allows it would deny as well.
func TestPatternsAllowOnlyWhatIsCertain(t *testing.T) {
	allowed := 0
	rapid.Check(t, func(t *rapid.T) {
		pattern := drawPattern(t)
		command := drawCommand(t, pattern)
		q := policy.SSHRequest{Command: command}
		if decide(compile(t, allow(commands(pattern))), policy.SSHExec, q) != "allow a" {
			return
		}
		allowed++
		f := shell.Parse(command)
		if !f.Simple && command != pattern {
			t.Fatalf("%q allows %q, which is not simple: %s", pattern, command, f.Why)
		}
		for i, w := range f.Words {
			if strings.HasPrefix(w, "-") && !strings.Contains(pattern, "-") && !strings.HasSuffix(pattern, "**") {
				t.Fatalf("%q allows %q with the option %q", pattern, command, w)
			}
			if i > 0 && strings.Contains(w, "/..") && !strings.Contains(" "+pattern, " *") {
				t.Fatalf("%q allows %q, which climbs", pattern, command)
			}
		}
		if got := decide(compile(t, deny(commands(pattern)), verbs("ssh.exec")), policy.SSHExec, q); got != "deny a" {
			t.Fatalf("%q allows %q, but does not deny it: %s", pattern, command, got)
		}
	})
	if allowed == 0 {
		t.Error("no pattern matched")
	}
}

// However a program is run, a rule that denies it reaches it.
func TestADeniedProgramIsReached(t *testing.T) {
	p := compile(t, deny(commands("rm **")), verbs("ssh.exec"))
	programs := []string{"sudo %", "sudo -u bob A=b %", "env A=b %", "nice -n 5 %", "timeout 5 %", "xargs %", "busybox %", "find . -exec % +", "nohup %", "command %", "exec %"}
	shells := []string{"ls; %", "ls && %", "echo $(%)", "echo `%`", "(%)", "{ %; }", "! %", "if %; then ls; fi", "% | cat", "% > /tmp/x", "A=b %", "ls\n%",
		"f() { %; }; f", "cat <<EOF\n$(%)\nEOF", "ls & %", "eval %", "while %; do ls; done", "echo \"$(%)\"", "coproc %", "time %", "sh -c '%'"}
	rapid.Check(t, func(t *rapid.T) {
		command := rapid.SampledFrom([]string{"rm x", "/bin/rm -rf x", "rm", "\"rm\" x", `\rm x`}).Draw(t, "program")
		for _, around := range [][]string{programs, shells} {
			for range rapid.IntRange(0, 2).Draw(t, "deep") {
				outer := rapid.SampledFrom(around).Draw(t, "around")
				if quotes := "'`\""; (outer == "eval %" || strings.ContainsAny(outer, quotes)) && strings.ContainsAny(command, quotes) {
					continue // they do not nest
				}
				command = strings.ReplaceAll(outer, "%", command)
			}
		}
		if got := decide(p, policy.SSHExec, policy.SSHRequest{Command: command}); got != "deny a" {
			t.Fatalf("%q: %s (%+v)", command, got, shell.Parse(command))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, command := range map[string]string{
		"simple": "systemctl status nginx.service", "pipe": "ps aux | grep nginx | wc -l",
		"64 KiB": "ls " + strings.Repeat("a ", 32_000),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				shell.Parse(command)
			}
		})
	}
}
