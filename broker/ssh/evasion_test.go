package ssh

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	gossh "golang.org/x/crypto/ssh"

	"hoop/broker/approval"
	"hoop/cli/demo/sshd"
	"hoop/policy"
	"hoop/recorder"
)

// attack is one entry of testdata/evasion/ssh.txt; the head of the file
// explains them.
type attack struct {
	id, expect, intent string
	requests           []attempt
}

type attempt struct{ how, body string }

func attacks(t *testing.T) []attack {
	t.Helper()
	text, err := os.ReadFile("../../testdata/evasion/ssh.txt")
	if err != nil {
		t.Fatal(err)
	}
	head := regexp.MustCompile(`^# ([A-Z]\d+) \| (\w+) \| ([\w-]+) \| (.*)$`)
	var all []attack
	for _, entry := range strings.Split(string(text), "\n\n") {
		first, body, _ := strings.Cut(strings.Trim(entry, "\n"), "\n")
		m := head.FindStringSubmatch(first)
		if m == nil {
			continue // the head of the file
		}
		a := attack{id: m[1], expect: m[2], intent: m[4]}
		how, more := m[3], true
		for more {
			var one, rest string
			one, rest, more = strings.Cut(body, "\n# @next ")
			a.requests = append(a.requests, attempt{how, unfold(one)})
			how, body, _ = strings.Cut(rest, "\n")
		}
		all = append(all, a)
	}
	return all
}

// unfold writes out {{0d}} and {{x*3}}.
func unfold(s string) string {
	return regexp.MustCompile(`\{\{([^}]+)\}\}`).ReplaceAllStringFunc(s, func(m string) string {
		in := m[2 : len(m)-2]
		if b, err := strconv.ParseUint(in, 16, 8); err == nil {
			return string([]byte{byte(b)})
		}
		i := strings.LastIndexByte(in, '*')
		n, err := strconv.Atoi(in[i+1:])
		if err != nil {
			return m
		}
		return strings.Repeat(in[:i], n)
	})
}

// gallery is a shooting gallery: a target that tells everything it is asked, and runs nothing.
type gallery struct {
	*holding
	server *sshd.Server
	ran    string // the file with what it was given to run
	config string
}

func newRange(t *testing.T) *gallery {
	t.Helper()
	dir := t.TempDir()
	r := &gallery{ran: filepath.Join(dir, "ran")}
	logger := filepath.Join(dir, "logger")
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"${SSH_ORIGINAL_COMMAND-(a shell)}\" >>%s\nenv | sed 's/^/env /'\n", r.ran)
	if err := errors.Join(os.WriteFile(logger, []byte(script), 0o700), os.WriteFile(r.ran, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	var err error
	// What a login shell of this machine reads from its home is none of this.
	settings := []string{"ForceCommand " + logger, "SetEnv HOME=" + dir, "AcceptEnv *", "LogLevel DEBUG2"}
	r.server, err = sshd.Start(t.Context(), sshd.Options{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.server.Stop() })
	text, err := os.ReadFile("../../testdata/evasion/ssh.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc policy.Document
	if err := yaml.UnmarshalWithOptions(text, &doc, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	r.holding = newHolding(t, doc)
	key, err := os.ReadFile(r.server.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	secret := *r.secret.Load()
	secret.PrivateKey = key
	r.secret.Store(&secret)
	target := *r.target.Load()
	target.Port, target.SSH.HostKeys = r.server.Port, []string{r.server.HostKey}
	r.target.Store(&target)
	r.config = r.listen()
	return r
}

// given is what the target was given to run so far.
func (r *gallery) given() []string {
	text, err := os.ReadFile(r.ran)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// dial connects a client that sends any bytes.
func (r *gallery) dial() *gossh.Client {
	r.t.Helper()
	text, err := os.ReadFile(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	address := "127.0.0.1:" + regexp.MustCompile(`Port (\d+)`).FindStringSubmatch(string(text))[1]
	c, err := gossh.Dial("tcp", address, &gossh.ClientConfig{User: "hoop", HostKeyCallback: gossh.InsecureIgnoreHostKey(), Timeout: 20 * time.Second})
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// outcomes of an attempt, as the client sees them.
const (
	passed  = "passed"
	refused = "refused"
)

// attempt makes one request and tells what became of it.
func (r *gallery) attempt(c *gossh.Client, a attempt) string {
	switch a.how {
	case "forward-local":
		typ, payload := typeDirectLocal, gossh.Marshal(directLocal{Path: a.body})
		if host, port := hostPort(a.body); host != "" {
			typ, payload = typeDirect, gossh.Marshal(direct{Host: host, Port: port, Originator: "127.0.0.1", OriginPort: 1})
		}
		return opened(c.OpenChannel(typ, payload))
	case "unknown":
		return opened(c.OpenChannel(a.body, nil))
	case "forward-remote":
		typ, payload := "streamlocal-forward@openssh.com", gossh.Marshal(forwardLocalRequest{a.body})
		if !strings.HasPrefix(a.body, "/") {
			host, port := hostPort(a.body)
			typ, payload = "tcpip-forward", gossh.Marshal(forwardRequest{host, port})
		}
		ok, _, err := c.SendRequest(typ, true, payload)
		return answered(ok, err)
	}
	ch, requests, err := c.OpenChannel("session", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer ch.Close()
	switch a.how {
	case "agent":
		return answered(ch.SendRequest("auth-agent-req@openssh.com", true, nil))
	case "x11":
		return answered(ch.SendRequest("x11-req", true, gossh.Marshal(struct {
			Single           bool
			Protocol, Cookie string
			Screen           uint32
		}{false, "MIT-MAGIC-COOKIE-1", strings.Repeat("0", 32), 0})))
	case "env":
		name, value, _ := strings.Cut(a.body, "=")
		return answered(ch.SendRequest("env", true, gossh.Marshal(setenv{name, value})))
	case "exec-tty":
		if ok, err := ch.SendRequest("pty-req", true, gossh.Marshal(ptyRequest{Term: "xterm", Columns: 80, Rows: 24})); !ok || err != nil {
			r.t.Errorf("no terminal: %v", err)
		}
	}
	return r.run(ch, requests, a)
}

// run starts a program on a channel and waits for its end.
func (r *gallery) run(ch gossh.Channel, requests <-chan *gossh.Request, a attempt) string {
	status := make(chan uint32, 1)
	go func() {
		defer close(status)
		for req := range requests {
			var s exitStatus
			if req.Type == "exit-status" && gossh.Unmarshal(req.Payload, &s) == nil {
				status <- s.Status
			}
			if req.WantReply {
				_ = req.Reply(false, nil)
			}
		}
	}()
	typ, payload := "exec", gossh.Marshal(execRequest{a.body})
	switch {
	case a.how == "shell":
		typ, payload = "shell", nil
	case a.how == "subsystem":
		typ = "subsystem"
	case strings.HasPrefix(a.how, "sftp-"):
		typ, payload = "subsystem", gossh.Marshal(execRequest{"sftp"})
	}
	ok, err := ch.SendRequest(typ, true, payload)
	if err != nil || !ok {
		return answered(ok, err)
	}
	if a.how == "shell" {
		_, _ = io.WriteString(ch, a.body+"\n")
	}
	if strings.HasPrefix(a.how, "sftp-") {
		return sftpAttempt(ch, a)
	}
	_ = ch.CloseWrite()
	go func() { _, _ = io.Copy(io.Discard, ch.Stderr()) }()
	_, _ = io.Copy(io.Discard, ch)
	if code, ok := <-status; ok && code == 0 {
		return passed
	}
	return refused
}

// sftpAttempt speaks as much SFTP as one operation takes, version 3.
func sftpAttempt(ch gossh.Channel, a attempt) string {
	path, to, _ := strings.Cut(a.body, "\n")
	type pair struct{ A, B string }
	var body []byte
	switch a.how {
	case "sftp-read":
		body = sftpFrame(3, gossh.Marshal(struct {
			Path         string
			Flags, Attrs uint32
		}{path, 1, 0}))
	case "sftp-write":
		body = sftpFrame(3, gossh.Marshal(struct {
			Path         string
			Flags, Attrs uint32
		}{path, 2 | 8 | 16, 0}))
	case "sftp-setstat":
		body = sftpFrame(9, gossh.Marshal(struct {
			Path        string
			Flags, Mode uint32
		}{path, 4, 0o4755}))
	case "sftp-list":
		body = sftpFrame(11, gossh.Marshal(execRequest{path}))
	case "sftp-remove":
		body = sftpFrame(13, gossh.Marshal(execRequest{path}))
	case "sftp-mkdir":
		body = sftpFrame(14, gossh.Marshal(struct {
			Path  string
			Attrs uint32
		}{path, 0}))
	case "sftp-rename":
		body = sftpFrame(18, gossh.Marshal(pair{path, to}))
	case "sftp-link":
		body = sftpFrame(20, gossh.Marshal(pair{to, path}))
	}
	_, _ = ch.Write(append([]byte{0, 0, 0, 5, 1, 0, 0, 0, 3}, body...))
	_ = ch.CloseWrite()
	answer, _ := io.ReadAll(ch)
	// Every answer behind the version must be a status: permission denied.
	for n := 0; len(answer) >= 5; n++ {
		length := int(answer[0])<<24 | int(answer[1])<<16 | int(answer[2])<<8 | int(answer[3])
		if length+4 > len(answer) || n > 0 && (answer[4] != 101 || answer[12] != 3) {
			return fmt.Sprintf("an answer %x", answer)
		}
		answer = answer[4+length:]
	}
	return refused
}

func sftpFrame(typ byte, body []byte) []byte {
	n := len(body) + 5
	return append([]byte{0, 0, byte(n >> 8), byte(n), typ, 0, 0, 0, 1}, body...)
}

func hostPort(s string) (string, uint32) {
	host, port, err := net.SplitHostPort(s)
	n, _ := strconv.Atoi(port)
	if err != nil {
		return "", 0
	}
	return host, uint32(n)
}

func answered(ok bool, err error) string {
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err.Error()
	case ok:
		return passed
	}
	return refused
}

func opened(ch gossh.Channel, _ <-chan *gossh.Request, err error) string {
	var r *gossh.OpenChannelError
	switch {
	case errors.As(err, &r) && (r.Reason == gossh.Prohibited || r.Reason == gossh.UnknownChannelType):
		return refused
	case err != nil:
		return err.Error()
	}
	_ = ch.Close()
	return passed
}

// Every entry of the corpus, byte for byte, against a real sshd: nothing that
// is denied or waits is ever seen by it, and what is harmless is.
func TestEvasion(t *testing.T) {
	r := newRange(t)
	var want []string // what the target may be given to run
	c := r.dial()     // one for all: what is refused must not be allowed later either
	defer c.Close()
	for _, a := range attacks(t) {
		for i, one := range a.requests {
			expect := passed
			if last := i == len(a.requests)-1; last && a.expect != "allow" {
				expect = refused
			}
			var got string
			if a.expect == "approval" && expect == refused {
				got = r.waits(a.id, func() string { return r.attempt(c, one) })
			} else {
				got = r.attempt(c, one)
			}
			if got != expect {
				t.Errorf("%s (%s), request %d: %s, want %s", a.id, a.intent, i+1, got, expect)
			}
			if expect == passed && one.how == "exec" {
				want = append(want, one.body)
			}
		}
	}
	r.check(want)
}

// waits runs what has to be asked for, sees that the target was not given it,
// and says no.
func (r *gallery) waits(id string, f func() string) string {
	before := r.given()
	done := make(chan struct{})
	go func() {
		defer close(done)
		a := r.waiting()
		if !slices.Equal(r.given(), before) {
			r.t.Errorf("%s: it ran before it was approved", id)
		}
		r.answer(a, approval.Deny)
	}()
	got := f()
	<-done
	return got
}

// check compares what the target was given with what it may have been given,
// and that with the record.
func (r *gallery) check(want []string) {
	r.t.Helper()
	got := r.given()
	if len(got) < 2 || !slices.Equal(got, want) {
		r.t.Errorf("the target was given\n%q\nwant\n%q", got, want)
	}
	log := r.server.Log()
	for _, sign := range []string{"ctype direct", "rtype tcpip-forward", "rtype streamlocal-forward", "req shell", "req subsystem",
		"req auth-agent", "req x11", "SYSTEMD", "LD_PRELOAD", "BASH_", "PAGER"} {
		if strings.Contains(log, sign) {
			r.t.Errorf("the target saw %q", sign)
		}
	}
	if !strings.Contains(log, "req exec") || !strings.Contains(log, "LC_TIME") {
		r.t.Error("the target's log does not tell what it was asked")
	}
	allowed := map[string]int{}
	for _, ev := range r.events.of(recorder.ActionDecided) {
		if ev.Verb == policy.SSHExec && ev.Verdict.Effect == policy.Allow {
			allowed[ev.Text]++
		}
	}
	for _, text := range got {
		if allowed[text]--; allowed[text] < 0 {
			r.t.Errorf("%q ran without an event", text)
		}
	}
}

// The same with the real client, as far as its arguments can say it, but for
// variables all on one connection.
func TestEvasionByTheRealClient(t *testing.T) {
	r := newRange(t)
	r.master(r.config)
	var want []string
	for _, a := range attacks(t) {
		for i, one := range a.requests {
			args, ok := one.arguments(r.config)
			if !ok || a.expect == "approval" && i == len(a.requests)-1 {
				continue
			}
			harmless := a.expect == "allow" || i < len(a.requests)-1
			got := r.holding.run([]byte(one.body+"\n"), "ssh", args...)
			switch {
			case harmless && (got.code != 0 || !strings.Contains(got.out, "env SSH_ORIGINAL_COMMAND=")):
				t.Errorf("%s (%s): %+v", a.id, a.intent, got)
			case !harmless && one.how == "env":
				if got.code != 0 || strings.Contains(got.out, "env "+one.body) {
					t.Errorf("%s (%s): %+v", a.id, a.intent, got)
				}
			case !harmless && (got.code == 0 || got.out != "" || !strings.Contains(got.err, "hoop: ") && one.how != "forward-local"):
				t.Errorf("%s (%s): %+v", a.id, a.intent, got)
			}
			switch {
			case one.how == "env":
				want = append(want, "systemctl status env")
			case harmless:
				want = append(want, one.body)
			}
		}
	}
	if len(want) < 30 {
		t.Errorf("only %d commands were harmless", len(want))
	}
	r.check(want)
}

// arguments are those that make ssh ask for it; false where none do.
func (a attempt) arguments(config string) ([]string, bool) {
	base := []string{"-F", config, "web-1.hoop", "--"}
	if strings.Contains(a.body, "\x00") || len(a.body) > 100_000 || strings.Trim(a.body, " \n") == "" {
		return nil, false
	}
	switch a.how {
	case "exec":
		return append(base, a.body), true
	case "exec-tty":
		return append([]string{"-tt"}, append(base, a.body)...), true
	case "shell":
		return append([]string{"-T"}, base[:3]...), true
	case "subsystem":
		return append([]string{"-s"}, append(base, a.body)...), true
	case "env":
		name, value, _ := strings.Cut(a.body, "=")
		if strings.ContainsAny(a.body, "\n") {
			return nil, false
		}
		return append([]string{"-o", "ControlPath=none", "-o", `SetEnv="` + name + "=" + value + `"`}, append(base, "systemctl status env")...), true
	case "forward-local":
		return append([]string{"-W", a.body}, base[:3]...), !strings.HasPrefix(a.body, "/")
	}
	return nil, false
}

// The record has the text of a command, with what detectors find left out, and
// not once more in its words.
func TestTheRecordLeavesOutWhatDetectorsFind(t *testing.T) {
	w := newWorld(t, policy.Document{
		Detectors: []policy.DetectorSpec{{Classes: []string{"*"}}},
		Rules:     []policy.RuleSpec{{Name: "all", Effect: "allow"}},
	})
	const card = "4111-1111-1111-1111"
	config := w.listen()
	w.ssh(config, "echo "+card)
	w.ssh(config, "./"+card+" | cat")
	evs := w.events.of(recorder.ActionDecided)
	if len(evs) != 2 {
		t.Fatalf("%d events", len(evs))
	}
	for _, ev := range evs {
		text, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), card) || !strings.Contains(string(text), `"programs":["`) {
			t.Errorf("%s", text)
		}
	}
}
