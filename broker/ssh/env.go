package ssh

import (
	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/policy"
)

// maxEnv is how many variables one program may be given, and maxEnvBytes how long
// they may be together.
const (
	maxEnv      = 128
	maxEnvBytes = 128 << 10
)

// setenv passes a variable on where policy lets it: some change what a command
// does.
func (c *channel) setenv(req *gossh.Request) error {
	var e setenv
	if c.begun || len(c.env) >= maxEnv || c.envBytes+len(req.Payload) > maxEnvBytes || !read(req.Payload, &e) {
		_ = req.Reply(false, nil)
		return nil
	}
	text := e.Name + "=" + e.Value
	t, err := c.r.s.Decide(c.ctx, &broker.Action{Holder: &holder{c: c},
		Action: policy.Action{Verb: policy.SSHEnv, Text: text, SSH: &policy.SSH{Login: c.r.login, Name: e.Name}}})
	if err != nil { // clients send what they have: that it is not taken is told by no server
		_ = req.Reply(false, nil)
		return nil
	}
	up := c.open(req)
	if up == nil {
		c.r.s.Finish(t, outcome("lost", ""))
		return nil
	}
	ok, err := up.SendRequest(req.Type, true, req.Payload)
	if ok = ok && err == nil; ok {
		c.env, c.envBytes = append(c.env, e), c.envBytes+len(req.Payload)
		c.r.s.Finish(t, outcome("ok", ""))
	} else {
		c.r.s.Finish(t, outcome("error", "refused by the target"))
	}
	_ = req.Reply(ok, nil)
	return nil
}
