package ssh

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
)

// passwordTarget is a server that lets in by one method, and runs nothing.
func passwordTarget(t *testing.T, set func(*gossh.ServerConfig)) (port int, key string) {
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	signer, err := gossh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	conf := &gossh.ServerConfig{}
	conf.AddHostKey(signer)
	set(conf)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, channels, requests, err := gossh.NewServerConn(c, conf)
				if err != nil {
					return
				}
				go gossh.DiscardRequests(requests)
				for n := range channels {
					_ = n.Reject(gossh.Prohibited, "let in")
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, string(gossh.MarshalAuthorizedKey(signer.PublicKey()))
}

func TestLoginByPassword(t *testing.T) {
	const password = "pa55-Wort-€"
	for name, set := range map[string]func(*gossh.ServerConfig){
		"password": func(c *gossh.ServerConfig) {
			c.PasswordCallback = func(_ gossh.ConnMetadata, p []byte) (*gossh.Permissions, error) {
				if string(p) != password {
					return nil, errors.New("wrong")
				}
				return nil, nil
			}
		},
		"keyboard-interactive": func(c *gossh.ServerConfig) {
			c.KeyboardInteractiveCallback = func(_ gossh.ConnMetadata, ask gossh.KeyboardInteractiveChallenge) (*gossh.Permissions, error) {
				answers, err := ask("", "", []string{"Password: "}, []bool{false})
				if err != nil || answers[0] != password {
					return nil, errors.New("wrong")
				}
				return nil, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			port, key := passwordTarget(t, set)
			w.target.Store(&broker.Target{Host: "127.0.0.1", Port: port, SSH: broker.TargetSSH{HostKeys: []string{key}}})
			w.secret.Store(&broker.Secret{User: "app", Password: password})
			config := w.listen()
			if got := w.ssh(config, "true"); got.code != 255 || !strings.Contains(got.err, "let in") {
				t.Errorf("%+v", got)
			}
			w.holds(func(s *broker.Secret) { s.Password = "another" })
			got := w.ssh(config, "true")
			if got.code != 255 || !strings.Contains(got.err, "the login at web-1 failed") || strings.Contains(got.err+w.log.String(), "another") {
				t.Errorf("with a wrong one: %+v", got)
			}
		})
	}
}

func TestRefuseSaysWhy(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = w.engine.Refuse(c, &broker.Denial{Code: broker.CodeUnavailable, Message: "the broker is shutting down", Hint: "connect again in a moment"})
		}
		done <- err
	}()
	got := w.ssh(w.config(l.Addr().(*net.TCPAddr).Port), "true")
	if got.code != 255 || !strings.Contains(got.err, "hoop: the broker is shutting down\nhoop: connect again in a moment\n") {
		t.Errorf("%+v", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What is no SSH ends the conn, and no longer than a handshake may take.
func TestStrangersAtTheDoor(t *testing.T) {
	w := newWorld(t)
	w.engine.handshake = 500e6
	config := w.listen()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(string(text), "Port ")
	port, _, _ = strings.Cut(port, "\n")
	for _, text := range []string{"", "GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n" + strings.Repeat("\xff", 5000), "SSH-2.0-slow\r\n"} {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(text))
		buf := make([]byte, 4096)
		for err == nil { // until the engine ends it
			_, err = c.Read(buf)
		}
		c.Close()
	}
	if got := w.ssh(config, "echo lives"); got.out != "lives\n" {
		t.Errorf("%+v", got)
	}
}
