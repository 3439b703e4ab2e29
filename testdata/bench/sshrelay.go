package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
)

// sshRelayCommand makes this program the plain relay of SSH.
const sshRelayCommand = "ssh-relay"

// runSSHRelay ends SSH on both sides and copies between, as x/crypto's own
// example would, with the same cipher as hoop: it looks at nothing and writes
// nothing down.
func runSSHRelay(args []string) int {
	set := flag.NewFlagSet(sshRelayCommand, flag.ExitOnError)
	listen, to := set.Int("listen", 0, "port"), set.Int("to", 0, "port of sshd")
	user, hostKey, key := set.String("user", "", "at sshd"), set.String("host-key", "", "file"), set.String("key", "", "file")
	_ = set.Parse(args) // it exits
	err := func() error {
		host, err := signer(*hostKey)
		if err != nil {
			return err
		}
		login, err := signer(*key)
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", *listen))
		if err != nil {
			return err
		}
		r := &sshRelay{to: fmt.Sprintf("127.0.0.1:%d", *to), user: *user, host: host, login: login}
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			go func() { _ = r.serve(c) }() // a client that leaves is no news
		}
	}()
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func signer(path string) (ssh.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(text)
}

type sshRelay struct {
	to, user    string
	host, login ssh.Signer
}

func (r *sshRelay) serve(c net.Conn) error {
	defer c.Close()
	conf := &ssh.ServerConfig{NoClientAuth: true, Config: ssh.Config{Ciphers: []string{gcm}}}
	conf.AddHostKey(r.host)
	front, channels, requests, err := ssh.NewServerConn(c, conf)
	if err != nil {
		return err
	}
	go ssh.DiscardRequests(requests)
	back, err := ssh.Dial("tcp", r.to, &ssh.ClientConfig{User: r.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(r.login)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // what is measured is the copying
		Config:          ssh.Config{Ciphers: []string{gcm}}})
	if err != nil {
		return err
	}
	defer back.Close()
	for n := range channels {
		go func() { _ = relayChannel(n, back) }()
	}
	return front.Wait()
}

func relayChannel(n ssh.NewChannel, back *ssh.Client) error {
	up, upRequests, err := back.OpenChannel(n.ChannelType(), n.ExtraData())
	if err != nil {
		return n.Reject(ssh.ConnectionFailed, err.Error())
	}
	down, downRequests, err := n.Accept()
	if err != nil {
		return err
	}
	begun := make(chan struct{})
	go func() {
		var once sync.Once
		for r := range downRequests {
			ok, _ := up.SendRequest(r.Type, r.WantReply, r.Payload)
			_ = r.Reply(ok, nil)
			if r.Type == "exec" || r.Type == "shell" || r.Type == "subsystem" {
				once.Do(func() { close(begun) })
			}
		}
		_ = up.Close()
	}()
	go func() {
		<-begun
		_, _ = io.Copy(up, down)
		_ = up.CloseWrite()
	}()
	go func() { _, _ = io.Copy(down.Stderr(), up.Stderr()) }()
	_, _ = io.Copy(down, up)
	for r := range upRequests { // the exit status comes after the last byte
		_, _ = down.SendRequest(r.Type, false, r.Payload)
	}
	_ = down.CloseWrite()
	return down.Close()
}
