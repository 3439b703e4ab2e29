package ssh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/broker/enginetest"
	"hoop/broker/ssh/ca"
	"hoop/cli/demo/sshd"
)

// TestPromises runs the suite that every engine runs, with x/crypto's client
// and a real OpenSSH server that logs each command before it runs it.
func TestPromises(t *testing.T) { enginetest.Run(t, promisesOf(t, clients{})) }

// promisesOf is the world of the suite with one sort of client.
func promisesOf(t *testing.T, client enginetest.Connector) enginetest.World {
	dir := t.TempDir()
	commands := commandLog(filepath.Join(dir, "commands"))
	server, err := sshd.Start(t.Context(), sshd.Options{Settings: []string{"ForceCommand " + commands.wrapper(t, dir)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	right, err := os.ReadFile(server.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strangersKey(t)
	authority, err := ca.Open(filepath.Join(dir, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	return enginetest.World{
		Protocol: "ssh",
		Target: enginetest.Target{
			Where:  broker.Target{Host: server.Host, Port: server.Port, SSH: broker.TargetSSH{HostKeys: []string{server.HostKey}}},
			Secret: broker.Secret{User: server.User, Kind: broker.SSHKey, PrivateKey: right},
			Wrong:  broker.Secret{User: server.User, Kind: broker.SSHKey, PrivateKey: wrong},
			Hidden: append(bodyOf(right), bodyOf(wrong)...), Log: commands,
		},
		Engine: func(o enginetest.Options) broker.Engine {
			return New(Options{CA: authority, Logger: o.Logger, HandshakeTimeout: o.Handshake})
		},
		Client: client, Actions: commandWords{}, Parallel: true, Records: true, DumbAtRest: true,
		Garbage: []string{
			"SSH-1.5-old\r\n", "SSH-2.0-x\r\n", "SSH-2.0-x\r\n\xff\xff\xff\xff\xff", "SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x14", strings.Repeat("SSH-2.0-", 4096),
			"SSH-2.0-x\r\n\x00\x00\x00\x00\x00", strings.Repeat("no version\r\n", 2048),
		},
	}
}

// commandLog is the file in which the target keeps what it executes.
type commandLog string

// wrapper makes a program for ForceCommand that writes a command down before it
// runs it.
func (l commandLog) wrapper(t *testing.T, dir string) string {
	path := filepath.Join(dir, "run")
	text := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$SSH_ORIGINAL_COMMAND\" >> %s\nexec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n", string(l))
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	if err := os.WriteFile(string(l), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Ran gives the commands with a mark that the server began with; those of the
// suite are of one line.
func (l commandLog) Ran(mark string) ([]string, error) {
	text, err := os.ReadFile(string(l))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, mark) {
			out = append(out, line)
		}
	}
	return out, nil
}

// strangersKey is a private key that nobody knows.
func strangersKey(t *testing.T) []byte {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := gossh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

// bodyOf gives the lines of a PEM text that hold the secret itself: the first
// ones are the same in every key.
func bodyOf(key []byte) []string {
	lines := strings.Split(strings.TrimSpace(string(key)), "\n")
	return lines[3 : len(lines)-1]
}

// commandWords words actions as commands. What waits ends with its standard
// input, so that none is left over.
type commandWords struct{}

func (commandWords) Print(mark string) string { return "echo " + mark }
func (commandWords) Wait(mark string) string  { return "cat # " + mark }
func (commandWords) Flood(mark string) string { return "yes " + mark }

// clients connects with x/crypto's client. Host keys are tested elsewhere.
type clients struct{}

func (clients) Connect(ctx context.Context, w *enginetest.Way) (enginetest.Client, error) {
	conn, err := w.Dial(ctx)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	var banner strings.Builder
	c, channels, requests, err := gossh.NewClientConn(conn, "the-target.hoop:22", &gossh.ClientConfig{
		User: "hoop", HostKeyCallback: gossh.InsecureIgnoreHostKey(), //nolint:gosec // see above
		BannerCallback: func(text string) error { banner.WriteString(text); w.Told(text); return nil },
	})
	if err != nil {
		_ = conn.Close()
		if banner.Len() > 0 {
			return nil, &enginetest.RefusedError{Text: banner.String() + err.Error()}
		}
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return &client{gossh.NewClient(c, channels, requests), w.Told}, nil
}

type client struct {
	conn *gossh.Client
	told func(string)
}

// Do runs a command, its standard input open until it ends. It shows what comes
// before the answer to its request, as OpenSSH's client does and gossh.Session
// does not.
func (c *client) Do(ctx context.Context, text string) (string, error) {
	ch, requests, err := c.conn.OpenChannel("session", nil)
	if err != nil {
		return "", err
	}
	defer ch.Close()
	defer context.AfterFunc(ctx, func() { _ = ch.Close() })()
	var out, says bytes.Buffer
	var all sync.WaitGroup
	all.Go(func() { _, _ = io.Copy(&out, ch) })
	all.Go(func() { _, _ = io.Copy(io.MultiWriter(&says, teller(c.told)), ch.Stderr()) })
	ended := fmt.Errorf("no exit status")
	all.Go(func() { ended = exitOf(requests, ended) })
	_, err = ch.SendRequest("exec", true, gossh.Marshal(execRequest{text}))
	all.Wait()
	switch {
	case err == nil && ended == nil:
		return out.String(), nil
	case strings.Contains(says.String(), "hoop: ") && errors.As(ended, new(exitError)):
		return out.String(), &enginetest.RefusedError{Text: fmt.Sprintf("%s%v", says.String(), ended)}
	}
	return out.String(), fmt.Errorf("%w: %s", errors.Join(err, ended), says.String())
}

// exitError is an exit status other than zero.
type exitError uint32

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", uint32(e)) }

func exitOf(requests <-chan *gossh.Request, none error) error {
	for req := range requests {
		var e exitStatus
		if req.Type == "exit-status" && gossh.Unmarshal(req.Payload, &e) == nil {
			if none = nil; e.Status != 0 {
				none = exitError(e.Status)
			}
		}
		_ = req.Reply(false, nil)
	}
	return none
}

// Ended waits for the end of the connection.
func (c *client) Ended(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = c.conn.Close() })()
	return c.conn.Wait()
}

func (c *client) Close() error { return c.conn.Close() }

// teller passes on what comes on the standard error, as it comes.
type teller func(string)

func (t teller) Write(b []byte) (int, error) {
	t(string(b))
	return len(b), nil
}
