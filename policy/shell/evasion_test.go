package shell_test

import (
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"hoop/policy"
	"hoop/policy/shell"
)

// attack is one entry of testdata/evasion/ssh.txt; the head of the file
// explains them.
type attack struct {
	id, expect, intent string
	requests           []request
}

type request struct{ how, body string }

var (
	attackHead = regexp.MustCompile(`^# ([A-Z]\d+) \| (\w+) \| ([\w-]+) \| (.*)$`)
	macro      = regexp.MustCompile(`\{\{([^}]+)\}\}`)
)

func attacks(t *testing.T) []attack {
	t.Helper()
	text, err := os.ReadFile("../../testdata/evasion/ssh.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []attack
	for _, entry := range strings.Split(string(text), "\n\n") {
		head, body, _ := strings.Cut(strings.Trim(entry, "\n"), "\n")
		m := attackHead.FindStringSubmatch(head)
		if m == nil {
			continue // the head of the file
		}
		a := attack{id: m[1], expect: m[2], intent: m[4]}
		how := m[3]
		for {
			one, rest, more := strings.Cut(body, "\n# @next ")
			a.requests = append(a.requests, request{how, unfold(one)})
			if !more {
				break
			}
			how, body, _ = strings.Cut(rest, "\n")
		}
		all = append(all, a)
	}
	return all
}

func unfold(s string) string {
	return macro.ReplaceAllStringFunc(s, func(m string) string {
		in := m[2 : len(m)-2]
		if i := strings.LastIndexByte(in, '*'); i > 0 {
			if n, err := strconv.Atoi(in[i+1:]); err == nil {
				return strings.Repeat(in[:i], n)
			}
		}
		b, err := strconv.ParseUint(in, 16, 8)
		if err != nil {
			return m
		}
		return string([]byte{byte(b)})
	})
}

// action is what an engine asks a verdict for.
func (r request) action() *policy.Action {
	q, verb := policy.SSHRequest{Login: "deploy"}, "ssh."+strings.ReplaceAll(r.how, "-", "_")
	switch r.how {
	case "exec", "exec-tty":
		verb, q.Command, q.PTY = policy.SSHExec, r.body, r.how == "exec-tty"
	case "env":
		q.Env, _, _ = strings.Cut(r.body, "=")
	case "subsystem":
		if q.Subsystem = strings.Trim(r.body, "\x00"); q.Subsystem == "sftp" {
			verb = policy.SSHSFTP
		}
	case "forward-local", "forward-remote":
		if strings.HasPrefix(r.body, "/") {
			q.Path = r.body
			break
		}
		host, port, _ := net.SplitHostPort(r.body)
		q.Host = host
		q.Port, _ = strconv.Atoi(port)
	default:
		if strings.HasPrefix(r.how, "sftp-") {
			q.Path, q.NewPath, _ = strings.Cut(r.body, "\n")
		}
	}
	return q.Action(verb, shell.Describe)
}

func evasionPolicy(t *testing.T) *policy.Policy {
	t.Helper()
	text, err := os.ReadFile("../../testdata/evasion/ssh.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc policy.Document
	if err := yaml.UnmarshalWithOptions(text, &doc, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Compile([]policy.Document{doc})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every attack gets the verdict that it deserves, everything harmless passes,
// and what strictness costs is no more and no less than what is written down.
func TestEvasion(t *testing.T) {
	p, counts := evasionPolicy(t), map[string]int{}
	alice := policy.Principal{ID: "1", Name: "alice", Kind: policy.Person}
	for _, a := range attacks(t) {
		counts[a.expect]++
		for i, r := range a.requests {
			act := r.action()
			if !policy.KnownSSHVerb(act.Verb) {
				t.Fatalf("%s: %s is no action", a.id, r.how)
			}
			v := p.Evaluate(&policy.Input{Principal: &alice, Connection: &policy.Connection{Name: "web-1", Protocol: "ssh"}, Action: act})
			want := map[string]policy.Effect{"deny": policy.Deny, "strict": policy.Deny, "approval": policy.RequireApproval, "allow": policy.Allow}[a.expect]
			if i < len(a.requests)-1 {
				want = policy.Allow
			}
			if v.Effect != want {
				t.Errorf("%s (%s), request %d: %s by %q, want %s: %s", a.id, a.intent, i+1, v.Effect, v.Rule, want, v.Hint)
			}
		}
	}
	if counts["deny"] < 200 || counts["approval"] < 5 || counts["allow"] < 15 || counts["strict"] != 10 {
		t.Errorf("the corpus has %v", counts)
	}
}

// The examples of the documentation hold.
func TestDocumentedExamples(t *testing.T) {
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## SSH\n")
	_, block, _ := strings.Cut(section, "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	var doc policy.Document
	if err := yaml.UnmarshalWithOptions([]byte(block), &doc, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Compile([]policy.Document{doc})
	if err != nil {
		t.Fatal(err)
	}
	web := policy.Connection{Name: "web-1", Protocol: "ssh"}
	results := p.RunTests(policy.World{Describe: shell.Describe, Connection: func(string) (*policy.Connection, bool) { return &web, true }}, doc.Tests)
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: %s", r.Name, r.Problem)
		}
	}
	if len(results) < 15 {
		t.Errorf("only %d examples", len(results))
	}
}
