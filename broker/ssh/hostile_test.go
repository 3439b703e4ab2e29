package ssh

import (
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
)

// hostileTarget is a server that lets anybody in and does with session channels
// what it is told.
func (w *world) hostileTarget(session func(*gossh.ServerConn, gossh.Channel, <-chan *gossh.Request)) {
	w.t.Helper()
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	signer, err := gossh.NewSignerFromKey(private)
	if err != nil {
		w.t.Fatal(err)
	}
	conf := &gossh.ServerConfig{NoClientAuth: true}
	conf.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				conn, channels, requests, err := gossh.NewServerConn(c, conf)
				if err != nil {
					return
				}
				go talkative(requests)
				for n := range channels {
					if n.ChannelType() != typeSession {
						_ = n.Reject(gossh.ConnectionFailed, card)
					} else if ch, requests, err := n.Accept(); err == nil {
						go session(conn, ch, requests)
					}
				}
			}()
		}
	}()
	w.target.Store(&broker.Target{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port,
		SSH: broker.TargetSSH{HostKeys: []string{string(gossh.MarshalAuthorizedKey(signer.PublicKey()))}}})
}

// talkative grants every request, with more in the answer than was asked for.
func talkative(requests <-chan *gossh.Request) {
	for req := range requests {
		_ = req.Reply(true, []byte(card))
	}
}

// accept answers requests until one runs a program.
func accept(requests <-chan *gossh.Request) {
	for req := range requests {
		_ = req.Reply(true, nil)
		if req.Type == "exec" || req.Type == "shell" {
			return
		}
	}
}

// A target reaches the client by nothing that the client did not ask for.
func TestATargetOpensNothingUnasked(t *testing.T) {
	w := newWorld(t)
	refused := make(chan string, 10)
	w.hostileTarget(func(conn *gossh.ServerConn, ch gossh.Channel, requests <-chan *gossh.Request) {
		accept(requests)
		payload := gossh.Marshal(direct{Host: "localhost", Port: 22, Originator: "127.0.0.1", OriginPort: 1})
		for _, kind := range []string{"session", typeForwarded, typeForwardedLocal, typeForwardedAgent, typeForwardedX11, typeDirect, "tun@openssh.com"} {
			if _, _, err := conn.OpenChannel(kind, payload); err == nil {
				refused <- kind + " was opened"
			}
		}
		_, _, _ = conn.SendRequest("hostkeys-00@openssh.com", false, []byte("key"))
		if ok, _, _ := conn.SendRequest("tcpip-forward", true, gossh.Marshal(forwardRequest{"", 0})); ok {
			refused <- "a listener was made at the client"
		}
		if ok, _ := ch.SendRequest("exec", true, gossh.Marshal(execRequest{"id"})); ok {
			refused <- "a command was run at the client"
		}
		_, _ = ch.SendRequest("exit-status", false, gossh.Marshal(exitStatus{4}))
		ch.Close()
	})
	if got := w.ssh(w.listen(), "true"); got.code != 4 || got.err != "" {
		t.Errorf("%+v", got)
	}
	close(refused)
	for what := range refused {
		t.Error(what)
	}
}

// Whatever a target sends, its session ends or goes on, and another lives.
func TestHostileTargets(t *testing.T) {
	for name, session := range map[string]func(*gossh.ServerConn, gossh.Channel, <-chan *gossh.Request){
		"leaves": func(conn *gossh.ServerConn, _ gossh.Channel, requests <-chan *gossh.Request) {
			accept(requests)
			conn.Close()
		},
		"closes without a status": func(_ *gossh.ServerConn, ch gossh.Channel, requests <-chan *gossh.Request) {
			accept(requests)
			ch.Close()
		},
		"malformed status": func(_ *gossh.ServerConn, ch gossh.Channel, requests <-chan *gossh.Request) {
			accept(requests)
			for range 1000 {
				_, _ = ch.SendRequest("exit-status", false, nil)
				_, _ = ch.SendRequest("exit-signal", false, []byte{255, 255, 255, 255})
			}
			ch.Close()
		},
		"output before it was asked": func(_ *gossh.ServerConn, ch gossh.Channel, requests <-chan *gossh.Request) {
			_, _ = ch.Write([]byte(strings.Repeat("x", 1<<20)))
			accept(requests)
			ch.Close()
		},
		"refuses": func(_ *gossh.ServerConn, ch gossh.Channel, requests <-chan *gossh.Request) {
			for req := range requests {
				_ = req.Reply(false, nil)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.hostileTarget(session)
			if got := w.ssh(w.listen(), "true"); got.code != 255 {
				t.Errorf("exit status %d: %s", got.code, got.err)
			}
		})
	}
}
