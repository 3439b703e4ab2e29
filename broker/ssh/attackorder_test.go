package ssh

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"hoop/policy"
	"hoop/recorder"
)

// message is one request of a hand-made client.
type message struct {
	name    string
	reply   bool
	payload []byte
}

func exec1(command string) message {
	return message{"exec", false, gossh.Marshal(execRequest{command})}
}

// The attack: requests in orders, numbers and spellings that no client has, all
// behind a command that is allowed, none of them waiting for an answer.
func TestRequestsInOddOrders(t *testing.T) {
	r := newRange(t)
	c := r.dial()
	defer c.Close()
	const fine = "systemctl status nginx"
	env := func(name string) message { return message{"env", false, gossh.Marshal(setenv{name, "/tmp/x"})} }
	terminal := message{"pty-req", false, gossh.Marshal(ptyRequest{Term: "xterm", Columns: 80, Rows: 24})}
	subsystem := message{"subsystem", false, gossh.Marshal(execRequest{"sftp"})}
	ran := 0
	for name, sent := range map[string][]message{
		"exec twice":                  {exec1(fine), exec1("id")},
		"the same twice":              {exec1(fine), exec1(fine)},
		"a refused one before":        {exec1("id"), exec1(fine)},
		"a shell after it":            {exec1(fine), {"shell", false, nil}},
		"sftp after it":               {exec1(fine), subsystem},
		"a terminal after it":         {exec1(fine), terminal, {"window-change", false, gossh.Marshal(windowChange{1, 1, 1, 1})}},
		"a terminal before it":        {terminal, exec1(fine)},
		"variables after it":          {exec1(fine), env("LC_X"), env("LD_PRELOAD"), env("SYSTEMD_PAGER")},
		"variables before it":         {env("LD_PRELOAD"), env("LC_TIME"), env("SYSTEMD_PAGER"), exec1(fine)},
		"in capitals":                 {{"EXEC", true, gossh.Marshal(execRequest{"id"})}, {"Shell", true, nil}, exec1(fine)},
		"a NUL in the name":           {{"exec\x00", true, gossh.Marshal(execRequest{"id"})}, exec1(fine)},
		"a command that is too short": {{"exec", false, []byte{0, 0, 0, 9, 'i', 'd'}}, exec1(fine)},
		"more after the command":      {{"exec", false, append(gossh.Marshal(execRequest{fine}), 0, 0, 0, 2, 'i', 'd')}},
		"a shell with a command":      {{"shell", false, gossh.Marshal(execRequest{"id"})}},
		"a subsystem with a NUL":      {{"subsystem", false, gossh.Marshal(execRequest{"sftp\x00"})}},
		"nobody's requests":           {{"auth-agent-req", true, nil}, {"x11-req", true, nil}, {"tcpip-forward", true, nil}, exec1(fine)},
	} {
		ch, requests, err := c.OpenChannel("session", nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		go gossh.DiscardRequests(requests)
		_, _ = io.WriteString(ch, "id\n") // before anything runs
		for _, m := range sent {
			if ok, err := ch.SendRequest(m.name, m.reply, m.payload); err != nil && !errors.Is(err, io.EOF) || ok {
				t.Errorf("%s: %s: %t, %v", name, m.name, ok, err)
			}
		}
		_ = ch.CloseWrite()
		if strings.HasPrefix(name, "a shell with") || strings.HasPrefix(name, "more") { // nothing began, so nothing ends
			_, _ = ch.SendRequest("keepalive@openssh.com", true, nil)
			_ = ch.Close()
		}
		out, _ := io.ReadAll(ch)
		started := strings.Contains(string(out), "SSH_ORIGINAL_COMMAND="+fine)
		if started {
			ran++
		}
		if refused := strings.HasPrefix(name, "a shell with") || strings.HasPrefix(name, "a subsystem") || strings.HasPrefix(name, "more") ||
			name == "a terminal before it" || name == "a refused one before"; started == refused {
			t.Errorf("%s: it ran: %t\n%s", name, started, out)
		}
		_ = ch.Close()
	}
	for _, kind := range []string{"SESSION", "Direct-TCPIP", "session\x00", "direct-tcpip ", "forwarded-tcpip", "auth-agent@openssh.com", "x11", ""} {
		if _, _, err := c.OpenChannel(kind, gossh.Marshal(direct{Host: "127.0.0.1", Port: 22})); err == nil {
			t.Errorf("a channel of type %q was opened", kind)
		}
	}
	want := make([]string, ran)
	for i := range want {
		want[i] = fine
	}
	r.check(want)
}

// The attack: many commands at once while the audit log breaks. None runs that
// stands in no event.
func TestNothingRunsOnceTheLogBroke(t *testing.T) {
	r := newRange(t)
	c := r.dial()
	defer c.Close()
	var all sync.WaitGroup
	for n := range 30 {
		all.Go(func() {
			if n == 15 {
				r.events.mu.Lock()
				r.events.fail = errors.New("the disk is full")
				r.events.mu.Unlock()
			}
			s, err := c.NewSession()
			if err == nil {
				_ = s.Run(fmt.Sprintf("systemctl status unit-%d", n))
			}
		})
	}
	all.Wait()
	if s, err := c.NewSession(); err == nil && s.Run("systemctl status last") == nil {
		t.Error("a command ran after the log broke")
	}
	events := map[string]bool{}
	for _, ev := range r.events.of(recorder.ActionDecided) {
		events[ev.Text] = true
	}
	for _, ran := range r.given() {
		if ran != "" && !events[ran] {
			t.Errorf("%q ran without an event", ran)
		}
	}
}

// pausing is a client's conn that stops reading for good.
type pausing struct {
	net.Conn
	paused atomic.Bool
	end    chan struct{}
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.paused.Load() {
		<-p.end
		return 0, io.EOF
	}
	return p.Conn.Read(b)
}

// The attack: a session that is revoked has nothing on it that could be told so,
// or a client that does not listen.
func TestEverySessionThatIsRevokedEnds(t *testing.T) {
	port := echoServer(t)
	for name, busy := range map[string]func(t *testing.T, c *gossh.Client, p *pausing){
		"nothing open": func(*testing.T, *gossh.Client, *pausing) {},
		"a forward alone": func(t *testing.T, c *gossh.Client, _ *pausing) {
			if _, err := c.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
				t.Error(err)
			}
		},
		"a listener alone": func(t *testing.T, c *gossh.Client, _ *pausing) {
			if _, err := c.Listen("tcp", "127.0.0.1:0"); err != nil {
				t.Error(err)
			}
		},
		"a channel that nobody reads": func(t *testing.T, c *gossh.Client, _ *pausing) {
			ch, requests, err := c.OpenChannel("session", nil)
			if err != nil {
				t.Fatal(err)
			}
			go gossh.DiscardRequests(requests)
			if ok, err := ch.SendRequest("exec", true, gossh.Marshal(execRequest{"yes; yes >&2"})); !ok || err != nil {
				t.Errorf("yes: %v", err)
			}
		},
		"a client that does not read": func(t *testing.T, c *gossh.Client, p *pausing) {
			for range 4 {
				s, err := c.NewSession()
				if err != nil {
					t.Fatal(err)
				}
				s.Stdout = io.Discard
				if err := s.Start("yes"); err != nil {
					t.Error(err)
				}
			}
			p.paused.Store(true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			address := w.address(w.listen())
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			p := &pausing{Conn: conn, end: make(chan struct{})}
			defer close(p.end)
			front, channels, requests, err := gossh.NewClientConn(p, address, &gossh.ClientConfig{User: "hoop", HostKeyCallback: gossh.InsecureIgnoreHostKey()})
			if err != nil {
				t.Fatal(err)
			}
			c := gossh.NewClient(front, channels, requests)
			defer c.Close()
			busy(t, c, p)
			w.end(errors.New("revoked"))
			for range 2000 {
				if len(w.events.of(recorder.SessionClosed)) == 1 {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
			t.Errorf("the session goes on")
		})
	}
}

// The attack: floods. What is kept stays little, and others are served meanwhile.
func TestFloodsOfChannels(t *testing.T) {
	w := newWorld(t, policy.Document{Rules: []policy.RuleSpec{{Name: "open", Effect: "allow", Actions: []string{"session.open", "ssh.exec"}}}})
	config := w.listen()
	c, err := w.raw(config, "hoop")
	if err != nil {
		t.Fatal(err)
	}
	before, routines := heap(), runtime.NumGoroutine()
	for n := range 3000 {
		if _, _, err := c.OpenChannel(fmt.Sprintf("kind-%d", n), make([]byte, 1000)); err == nil {
			t.Fatal("a channel of no known type was opened")
		}
		if _, _, err := c.OpenChannel(typeDirect, gossh.Marshal(direct{Host: "127.0.0.1", Port: 22})); err == nil {
			t.Fatal("a forward was opened")
		}
	}
	open := 0
	for range 500 {
		if ch, requests, err := c.OpenChannel("session", nil); err == nil {
			open++
			go gossh.DiscardRequests(requests)
			_, _ = ch.Write(make([]byte, 100<<10))
		}
	}
	if open != 100 {
		t.Errorf("%d channels are open at once", open)
	}
	if got := w.ssh(config, "echo another"); got.out != "another\n" {
		t.Errorf("another session: %+v", got)
	}
	w.events.mu.Lock()
	unknown := slices.DeleteFunc(slices.Clone(w.events.all), func(ev recorder.Event) bool { return ev.Verb != policy.SSHUnknown })
	w.events.all = nil
	w.events.mu.Unlock()
	if len(unknown) != 100 {
		t.Errorf("%d events of unknown requests", len(unknown))
	}
	if grown := heap() - before; grown > 48<<20 {
		t.Errorf("%d MiB for one client", grown>>20)
	}
	if grown := runtime.NumGoroutine() - routines; grown > 1200 {
		t.Errorf("%d goroutines for one client", grown)
	}
}
