package ssh

import (
	"context"
	"net"
	"strconv"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/policy"
)

// maxRemotes is how many listeners at the target a client may have.
const maxRemotes = 64

// listener is where the target listens for the client: a port, or the path of
// a socket. Not the host: servers name it as they like.
type listener struct {
	port uint32
	path string
}

// remotes are the listeners of a client. The relay's lock guards them.
type remotes struct{ listening map[listener]*standing }

// listen asks the target to listen for the client: -R. RFC 4254 §7.1.
func (r *relay) listen(ctx context.Context, req *gossh.Request) (bool, []byte) {
	at, facts, text := listenerOf(req)
	if facts == nil || !r.roomFor(at) {
		return false, nil
	}
	facts.Login = r.login
	a := &broker.Action{Holder: &waiter{r: r, what: "hoop: a listener on " + oneLine(text)},
		Action: policy.Action{Verb: policy.SSHForwardRemote, Text: text, SSH: facts}}
	t, err := r.s.Decide(ctx, a)
	if err != nil {
		r.mention(refusalText("a listener on "+oneLine(text), err))
		return false, nil
	}
	up, err := r.target(ctx)
	if err != nil {
		r.s.Finish(t, outcome("error", "unavailable"))
		r.mention(refusalText("a listener on "+oneLine(text), err))
		return false, nil
	}
	return r.listenAt(up, req, at, &standing{action: a, ticket: t})
}

func (r *relay) listenAt(up *upstream, req *gossh.Request, at listener, f *standing) (bool, []byte) {
	if at != (listener{}) {
		r.keep(at, f) // before the target may connect
	}
	ok, payload, err := up.conn.SendRequest(req.Type, true, req.Payload)
	if err != nil || !ok {
		r.drop(at)
		r.s.Finish(f.ticket, outcome("error", "refused by the target"))
		return false, nil
	}
	if at != (listener{}) {
		return true, nil
	}
	var chosen forwardPort // port 0: the target has chosen one
	if !read(payload, &chosen) || !r.roomFor(listener{port: chosen.Port}) {
		r.s.Finish(f.ticket, outcome("error", "malformed answer"))
		return false, nil
	}
	r.keep(listener{port: chosen.Port}, f)
	return true, gossh.Marshal(chosen)
}

// unlisten ends a listener. Only what this client asked for can be.
func (r *relay) unlisten(ctx context.Context, req *gossh.Request) (bool, []byte) {
	at, facts, _ := listenerOf(req)
	r.mu.Lock()
	f := r.remotes.listening[at]
	r.mu.Unlock()
	up, err := r.target(ctx)
	if facts == nil || f == nil || err != nil {
		return false, nil
	}
	if ok, _, err := up.conn.SendRequest(req.Type, true, req.Payload); err != nil || !ok {
		return false, nil
	}
	r.drop(at)
	f.finish(r)
	return true, nil
}

// finish ends what still listens, when the session ends.
func (m *remotes) finish(r *relay) {
	for _, f := range m.listening {
		f.finish(r)
	}
	m.listening = nil
}

func listenerOf(req *gossh.Request) (listener, *policy.SSH, string) {
	switch req.Type {
	case "tcpip-forward", "cancel-tcpip-forward":
		var f forwardRequest
		if read(req.Payload, &f) && f.Port <= maxPort {
			return listener{port: f.Port}, &policy.SSH{Host: f.Host, Port: int(f.Port)}, net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port)))
		}
	default:
		var f forwardLocalRequest
		if read(req.Payload, &f) && plainSocket(f.Path) {
			return listener{path: f.Path}, &policy.SSH{Path: f.Path}, f.Path
		}
	}
	return listener{}, nil, ""
}

// roomFor reports whether the client may listen there besides what it has.
func (r *relay) roomFor(at listener) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, taken := r.remotes.listening[at]
	return !taken && len(r.remotes.listening) < maxRemotes
}

func (r *relay) keep(at listener, f *standing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remotes.listening[at] = f
}

func (r *relay) drop(at listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.remotes.listening, at)
}
