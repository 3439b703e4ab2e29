package postgres

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"hoop/broker"
	"hoop/broker/approval"
	"hoop/policy"
	"hoop/policy/sql"
	"hoop/recorder"
)

// maxRequest is the largest message of a client that must be read whole, bytes.
const maxRequest = 256 << 20

// requests is the direction from client to target: it judges what the client
// asks and forwards what may pass.
type requests struct {
	*relay
	flow flow

	view   *view
	viewed bool
	// described is the portal that the last message described or executed.
	described   string
	isDescribed bool
	action      broker.Action
	recalls     recalled
	announced   announced
	// size is of the message under way: all that is kept of one that waits for
	// people, whose bytes are another session's by then.
	size    int
	verb    string // of the last action, and its kind
	kind    string
	asked   *sql.Statement   // that the last action is for
	meaning approval.Meaning // of the last that was held
	wanted  *withdrawal      // given once the client gives up the action that is held
	// reshaped is true once an Execute of this segment may have changed how
	// text is read: the target reports it no sooner than at Sync.
	reshaped bool
	leaving  bool
	clear    bool // the statement under judgement may show every label
	confused bool // what names stand for may have been changed: see confuse.go
	parsed   bool // the target's unnamed statement is the Query under judgement
}

// run relays until the client leaves.
func (c *requests) run(ctx context.Context) error {
	for {
		if err := c.batch(ctx); err != nil {
			return err
		}
		if err := c.flow.flush(); err != nil {
			return gone(err, errTargetGone)
		}
		if c.leaving {
			// What was asked before Terminate is still answered: the target
			// reads it in order too, and closes after it.
			_ = c.queue.await(c.queue.empty)
			return errClientGone
		}
		if err := c.flow.fill(); err != nil {
			return gone(err, errClientGone)
		}
		if c.flow.buf == nil {
			c.queue.idle()
			c.announced = announced{}
		}
	}
}

// batch handles every frame that is there.
func (c *requests) batch(ctx context.Context) error {
	f := &c.flow
	for f.pos < f.end && !c.leaving {
		if f.skip > 0 {
			f.skipped()
			continue
		}
		kind, size, complete, err := f.next()
		if err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
		if err := known(kind); err != nil {
			return err
		}
		if kind == typeCopyData {
			f.stream(size, !c.copying())
			continue
		}
		if !complete {
			return f.incomplete(size, maxRequest)
		}
		f.need = 0
		if err := c.message(ctx, kind, f.buf[f.pos:f.pos+size]); err != nil {
			return err
		}
	}
	return nil
}

// known refuses what is not a message of a client in a session; passwords come
// only before one.
func known(kind byte) error {
	if strings.IndexByte("QPBDECSHFdcfX", kind) < 0 {
		return fmt.Errorf("%w: invalid frontend message type %d", errProtocol, kind)
	}
	return nil
}

// message handles one whole frame.
func (c *requests) message(ctx context.Context, kind byte, msg []byte) error {
	c.size = len(msg)
	if c.copying() {
		return c.whileCopying(kind, msg)
	}
	if kind != typeExecute && kind != typeFlush {
		c.isDescribed = false
	}
	if c.queue.is(c.queue.crowded) {
		if err := c.await(c.queue.roomy); err != nil {
			return err
		}
	}
	var err error
	switch kind {
	case typeQuery:
		err = c.query(ctx, msg)
	case typeParse:
		err = c.parse(ctx, msg)
	case typeBind:
		err = c.bind(msg)
	case typeDescribe:
		err = c.describe(msg)
	case typeExecute:
		err = c.execute(ctx, msg)
	case typeClose:
		err = c.close(msg)
	case typeFunctionCall:
		err = c.functionCall(ctx, msg)
	case typeSync:
		err = c.sync(msg)
	case typeFlush:
		c.flow.pass(len(msg))
	case typeCopyDone, typeCopyFail: // no copy is under way: ignored, as PostgreSQL does
		c.flow.omit(len(msg))
	case typeTerminate:
		c.flow.pass(len(msg))
		c.leaving = true
	}
	if err != nil {
		return fmt.Errorf("message %q of %d bytes: %w", kind, c.size-headerSize, err)
	}
	return nil
}

// sync ends a segment.
func (c *requests) sync(msg []byte) error {
	c.queue.push(c.queue.entry(typeSync))
	c.flow.pass(len(msg))
	c.reshaped = false
	return nil
}

// forward lets a message through that the target owes an answer to.
func (c *requests) forward(size int, e *entry) {
	c.queue.push(e)
	c.flow.pass(size)
}

// refuse sends the target something that fails in the place of a message, and
// has the client read why.
func (c *requests) refuse(size int, p *problem) {
	kind := c.flow.buf[c.flow.pos]
	if kind == typeQuery || kind == typeFunctionCall {
		e := c.queue.entry(kind)
		e.denied = p.frame()
		c.queue.push(e)
		c.flow.replace(size, appendRefusedQuery(nil))
		return
	}
	e := c.queue.entry(typeDescribe)
	e.subtype, e.denied = subtypeStatement, p.frame()
	c.queue.push(e)
	c.flow.replace(size, appendRefusedExtended(nil, c.absent))
}

// inForce gives the view under the policy in force, its catalog loaded: nil
// where values may pass untouched.
func (c *requests) inForce(ctx context.Context) (*view, error) {
	if !c.viewed || c.view.digest != c.session.PolicyDigest() {
		v, err := c.e.views.of(c.session, c.up.database)
		if err != nil {
			return nil, err
		}
		c.view, c.viewed = v, true
	}
	if !c.view.active() {
		return nil, nil
	}
	if c.view.catalog != nil {
		if _, err := c.view.catalog.get(ctx, c.connect); err != nil {
			return nil, &problem{code: "58000", message: "denied: the labels of this connection could not be resolved at the target",
				detail: err.Error(), hint: "values cannot be masked until they are; ask the broker's administrator"}
		}
	}
	return c.view, nil
}

// connect opens a connection of the broker's own to the session's database. It
// sees catalogs only and finds nothing through a search_path that others chose.
func (r *relay) connect(ctx context.Context) (*upstream, error) {
	return r.e.connect(ctx, r.session, r.up.database, inspectSettings())
}

// analyse gives the statements of a text, once it is sure how the target will
// read it: a pipelined SET could change what a backslash, or a byte beyond
// ASCII, means.
func (c *requests) analyse(ctx context.Context, text []byte) (string, []sql.Statement, error) {
	if !plain(text) {
		if !utf8.Valid(text) {
			return "", nil, &problem{code: "22021", message: `invalid byte sequence for encoding "UTF8"`}
		}
		if c.reshaped {
			return "", nil, &problem{code: "42501", message: "denied: a setting may have changed how this text is read",
				hint: "send Sync between the two"}
		}
		if err := c.drain(); err != nil {
			return "", nil, err
		}
	}
	s := string(text)
	return s, c.e.analyzer.Statements(ctx, s), nil
}

// plain reports whether a text reads the same under every setting.
func plain(text []byte) bool {
	for _, b := range text {
		if b == '\\' || b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// drain waits until the target has answered everything.
func (c *requests) drain() error { return c.await(c.queue.empty) }

// await waits for the target to come so far; what it still has to be given is
// flushed first.
func (c *requests) await(ok func() bool) error {
	if c.queue.is(ok) {
		return nil
	}
	c.flow.put([]byte{typeFlush, 0, 0, 0, 4})
	if err := c.flow.flush(); err != nil {
		return gone(err, errTargetGone)
	}
	return c.queue.await(ok)
}

// decide asks for the verdict on one statement.
func (c *requests) decide(ctx context.Context, st *sql.Statement, d *derivation, params []recorder.Param, exact []byte) (*ticket, error) {
	c.prepareAction(st, params, exact)
	c.action.Floor = c.floor(d)
	c.action.SQL = c.traced(st.Facts, d)
	t, err := c.session.Decide(ctx, &c.action)
	c.unwant()
	if err != nil {
		return nil, err
	}
	c.up.running.Store(t.Number)
	k := &ticket{Ticket: t, facts: st.Facts, copy: st.Copy, derived: d}
	if st.Prepared != nil {
		k.prepares = st
	}
	return k, nil
}

func (c *requests) prepareAction(st *sql.Statement, params []recorder.Param, exact []byte) {
	if c.kind != st.Facts.Kind || c.verb == "" {
		c.kind, c.verb = st.Facts.Kind, "sql."+st.Facts.Kind
	}
	c.asked = st
	c.action = broker.Action{Action: policy.Action{Verb: c.verb, Text: st.Text, SQL: st.Facts}, Params: params, Exact: exact}
}

// passes notes what a statement changes that later messages depend on, before
// it is sent.
func (c *requests) passes(st *sql.Statement) {
	switch st.Facts.Kind {
	case "prepare":
		c.queue.locked(func() {
			c.queue.names.forget(false, st.Name)
			c.queue.names.claim(st.Name, st)
		})
	case "declare":
		c.queue.locked(func() { c.queue.names.forget(true, st.Name) })
	}
	if reshapes(st.Facts) {
		c.reshaped = true
	}
	c.recalls.shake(st.Facts)
}

// reshapes reports whether a statement may change how text is read.
func reshapes(f *policy.SQL) bool {
	if f.Unknown || len(f.Settings) > 0 {
		return true
	}
	for _, e := range f.Effects {
		if e == "code" || e == "session" {
			return true
		}
	}
	return false
}
