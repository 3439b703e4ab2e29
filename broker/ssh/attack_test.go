package ssh

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/policy"
)

// raw connects a client that sends whatever a test makes up.
func (w *world) raw(config, user string) (*gossh.Client, error) {
	w.t.Helper()
	c, err := gossh.Dial("tcp", w.address(config), &gossh.ClientConfig{User: user, HostKeyCallback: gossh.InsecureIgnoreHostKey(), Timeout: 20 * time.Second})
	if err == nil {
		w.t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

// address is where a configuration leads.
func (w *world) address(config string) string {
	w.t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		w.t.Fatal(err)
	}
	return "127.0.0.1:" + regexp.MustCompile(`Port (\d+)`).FindStringSubmatch(string(text))[1]
}

// The attack: any login is allowed but root's, and sshd cuts what follows a
// colon, and with Debian's patches a slash, off the name that it is given.
func TestALoginIsNotAnotherAtTheTarget(t *testing.T) {
	user := shared.server.User
	w := newWorld(t, policy.Document{Rules: []policy.RuleSpec{
		{Name: "not as it", Effect: "deny", SSH: &policy.SSHSpec{Logins: []string{user}}},
		{Name: "all", Effect: "allow"},
	}})
	w.holds(func(s *broker.Secret) { s.User = "somebody" })
	w.leads(func(t *broker.Target) { t.SSH.Logins = []string{"*"} })
	config := w.listen()
	for _, login := range []string{user + ":", user + ":x", user + "/", user + "/sysadm_r", user + ":/", user + "\x00x", user + "\n", " " + user} {
		c, err := w.raw(config, login)
		if err != nil {
			continue
		}
		s, err := c.NewSession()
		if err != nil {
			continue
		}
		if out, err := s.CombinedOutput("id -un"); err == nil {
			t.Errorf("%q ran as %s", login, strings.TrimSpace(string(out)))
		}
	}
}

// heard collects the payloads of what a client is sent besides data.
func heard(requests <-chan *gossh.Request) string {
	var all strings.Builder
	for req := range requests {
		all.WriteString(req.Type + " " + string(req.Payload) + "\n")
		_ = req.Reply(false, nil)
	}
	return all.String()
}

// The attack: a target, or who has a say there, tells what detectors would mask
// wherever SSH has room for a text that is no output.
func TestATargetHasNoOtherWayToSayAValue(t *testing.T) {
	w := newWorld(t, policy.Document{
		Detectors: []policy.DetectorSpec{{Classes: []string{"*"}}},
		Rules:     []policy.RuleSpec{{Name: "all", Effect: "allow"}},
	})
	w.hostileTarget(func(conn *gossh.ServerConn, ch gossh.Channel, requests <-chan *gossh.Request) {
		for req := range requests {
			_ = req.Reply(true, nil)
			if req.Type == "exec" {
				var e execRequest
				read(req.Payload, &e)
				_, _ = ch.SendRequest("eow@openssh.com", false, []byte(card))
				_, _ = ch.SendRequest("xon-xoff", false, []byte(card))
				switch e.Command {
				case "message":
					_, _ = ch.SendRequest("exit-signal", false, gossh.Marshal(exitSignal{"TERM", true, "killed with " + card, card}))
				case "name":
					_, _ = ch.SendRequest("exit-signal", false, gossh.Marshal(exitSignal{card, false, "", ""}))
				case "malformed":
					_, _ = ch.SendRequest("exit-status", false, []byte(card))
				case "malformed signal":
					_, _ = ch.SendRequest("exit-signal", false, append(gossh.Marshal(exitSignal{"TERM", false, "", ""}), card...))
				}
				if _, _, err := conn.OpenChannel(typeForwarded, gossh.Marshal(direct{"localhost", 4711, card, 1})); err != nil {
					t.Errorf("%s: %v", e.Command, err)
				}
				ch.Close()
			}
		}
	})
	c, err := w.raw(w.listen(), "hoop")
	if err != nil {
		t.Fatal(err)
	}
	extra := make(chan string, 10)
	go func() {
		for n := range c.HandleChannelOpen(typeForwarded) {
			extra <- string(n.ExtraData())
			if ch, _, err := n.Accept(); err == nil {
				_ = ch.Close()
			}
		}
	}()
	_, answer, _ := c.SendRequest("tcpip-forward", true, gossh.Marshal(forwardRequest{"localhost", 4711}))
	_, _, err = c.OpenChannel(typeDirect, gossh.Marshal(direct{Host: "db", Port: 1, Originator: "a", OriginPort: 1}))
	all := "answer " + string(answer) + "\nopen " + err.Error() + "\n"
	for _, command := range []string{"message", "name", "malformed", "malformed signal"} {
		ch, requests, err := c.OpenChannel("session", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = ch.SendRequest("exec", true, gossh.Marshal(execRequest{command}))
		all += command + "\n" + heard(requests) + <-extra + "\n"
	}
	if strings.Contains(all, card) || !strings.Contains(all, "TERM") || !strings.Contains(all, "killed with") {
		t.Errorf("the client was told\n%s", all)
	}
}

// The attack: a target that was given the password says it where the client is
// told why the login failed.
func TestATargetDoesNotTellTheClientTheCredential(t *testing.T) {
	w := newWorld(t)
	w.secret.Store(&broker.Secret{User: "deploy", Kind: broker.Password, Password: "hunter2"})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			// SSH_MSG_DISCONNECT, RFC 4253 §11.1, as a packet without encryption.
			body := gossh.Marshal(struct {
				Type           uint8
				Reason         uint32
				Text, Language string
			}{1, 2, "wrong: hunter2, hUNTER2", "en"})
			padding := 16 - (len(body)+5)%8
			packet := append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+1+padding)), byte(padding))
			_, _ = c.Write(append([]byte("SSH-2.0-x\r\n"), append(append(packet, body...), make([]byte, padding)...)...))
		}
	}()
	w.leads(func(t *broker.Target) { t.Host, t.Port = "127.0.0.1", l.Addr().(*net.TCPAddr).Port })
	got := w.ssh(w.listen(), "true")
	if got.code != 255 || !strings.Contains(got.err, "login at web-1 failed") || strings.Contains(strings.ToLower(got.err), "hunter2") {
		t.Errorf("%+v", got)
	}
	if strings.Contains(strings.ToLower(w.log.String()), "hunter2") {
		t.Errorf("in the log: %s", w.log.String())
	}
}

// The attack: a listener from before a rule was taken away goes on letting
// others in to the client.
func TestARevokedListenerLetsNobodyIn(t *testing.T) {
	w := newWorld(t)
	c, err := w.raw(w.listen(), "hoop")
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 10)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			came <- struct{}{}
			_, _ = in.Write([]byte("in"))
			_ = in.Close()
		}
	}()
	if got := talk(t, "tcp", l.Addr().String(), ""); got != "in" {
		t.Fatalf("before: %q", got)
	}
	w.rule(policy.Document{Rules: []policy.RuleSpec{
		{Name: "no listeners", Effect: "deny", Actions: []string{policy.SSHForwardRemote}},
		{Name: "all", Effect: "allow"},
	}})
	if got := talk(t, "tcp", l.Addr().String(), ""); got != "" || len(came) != 1 {
		t.Errorf("after: %q, %d came in", got, len(came))
	}
}

// The attack: behind a command that waits for people a client sends as many
// requests as there is room for, each as long as it can be.
func TestWhatWaitsBehindACommandIsBounded(t *testing.T) {
	h := newHolding(t, asking(policy.SSHExec, policy.SSHForwardRemote))
	c, err := h.raw(h.listen(), "hoop")
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	long := gossh.Marshal(setenv{"LC_X", strings.Repeat("x", 250<<10)})
	for n := range 4 {
		ch, requests, err := c.OpenChannel("session", nil)
		if err != nil {
			t.Fatal(err)
		}
		go gossh.DiscardRequests(requests)
		go func() { _, _ = ch.SendRequest("exec", true, gossh.Marshal(execRequest{fmt.Sprintf("echo %d", n)})) }()
		for range maxPending - 2 {
			if _, err := ch.SendRequest("env", false, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	go func() { _, _, _ = c.SendRequest("tcpip-forward", true, gossh.Marshal(forwardRequest{"localhost", 0})) }()
	for range maxPending - 2 {
		if _, _, err := c.SendRequest("tcpip-forward", false, long); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := c.OpenChannel("x", nil); err == nil { // what was sent before arrived
		t.Error("a channel of type x was opened")
	}
	if grown := heap() - before; grown > 24<<20 {
		t.Errorf("%d MiB wait behind four commands", grown>>20)
	}
}

// heap is how much is in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The attack: a forward whose numbers or names mean something else to the target
// than to a rule. Whatever the rules say, they are none.
func TestForwardsThatReadInTwoWaysAreNone(t *testing.T) {
	w := newWorld(t)
	c, err := w.raw(w.listen(), "hoop")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []direct{{Host: "127.0.0.1", Port: 65536 + 22}, {Host: "/run/docker.sock", Port: 1<<32 - 2}} {
		if _, _, err := c.OpenChannel(typeDirect, gossh.Marshal(d)); err == nil || !strings.Contains(err.Error(), "malformed") {
			t.Errorf("%+v: %v", d, err)
		}
		if ok, _, err := c.SendRequest("tcpip-forward", true, gossh.Marshal(forwardRequest{d.Host, d.Port})); ok || err != nil {
			t.Errorf("a listener on %+v: %v", d, err)
		}
	}
	for _, path := range []string{"", "/run/app/../docker.sock", "/run/docker.sock\x00/app", ".."} {
		if _, _, err := c.OpenChannel(typeDirectLocal, gossh.Marshal(directLocal{Path: path})); err == nil || !strings.Contains(err.Error(), "malformed") {
			t.Errorf("%q: %v", path, err)
		}
		if ok, _, err := c.SendRequest("streamlocal-forward@openssh.com", true, gossh.Marshal(forwardLocalRequest{path})); ok || err != nil {
			t.Errorf("a listener on %q: %v", path, err)
		}
	}
}

// The attack: what a file server says on its standard error, where no file is.
func TestAFileServersErrorsAreMasked(t *testing.T) {
	w := newWorld(t, detecting())
	w.hostileTarget(func(_ *gossh.ServerConn, ch gossh.Channel, requests <-chan *gossh.Request) {
		for req := range requests {
			_ = req.Reply(true, nil)
			_, _ = fmt.Fprintf(ch.Stderr(), "sent by %s\n", card)
			_ = ch.Close()
		}
	})
	got := w.run(nil, "ssh", "-F", w.listen(), "-s", "web-1.hoop", "sftp")
	if !strings.Contains(got.err, "sent by ") || strings.Contains(got.err, card) {
		t.Errorf("%+v", got)
	}
}
