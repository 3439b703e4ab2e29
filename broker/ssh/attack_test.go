package ssh

import (
	"os"
	"regexp"
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
	text, err := os.ReadFile(config)
	if err != nil {
		w.t.Fatal(err)
	}
	address := "127.0.0.1:" + regexp.MustCompile(`Port (\d+)`).FindStringSubmatch(string(text))[1]
	c, err := gossh.Dial("tcp", address, &gossh.ClientConfig{User: user, HostKeyCallback: gossh.InsecureIgnoreHostKey(), Timeout: 20 * time.Second})
	if err == nil {
		w.t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
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
