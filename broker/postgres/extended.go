package postgres

import (
	"context"
	"fmt"

	"hoop/policy/sql"
)

func protocolError(err error) error { return fmt.Errorf("%w: %w", errProtocol, err) }

// parse handles Parse ("Extended Query"). The text is judged here, so that
// what would be denied never reaches the target; the verdict that counts, and
// its event, belong to each Execute.
func (c *requests) parse(ctx context.Context, msg []byte) error {
	m, err := decodeParse(msg[headerSize:])
	if err != nil {
		return protocolError(err)
	}
	text, parts, err := c.analyse(ctx, m.text)
	if err == nil {
		err = c.preparable(text, parts)
	}
	if err != nil {
		var st *sql.Statement
		if len(parts) > 0 {
			st = &parts[0]
		}
		return c.refuseOr(len(msg), err, st)
	}
	s := &statement{text: text, parts: parts}
	for i := range m.types.count() {
		s.types = append(s.types, m.types.at(i))
	}
	e := c.queue.entry(typeParse)
	e.change = &binding{name: string(m.statement), statement: s}
	c.queue.locked(func() { c.queue.names.claim(e.change.name, nil) })
	if text, quieted := c.quieted(parts); quieted {
		c.queue.push(e)
		c.flow.replace(len(msg), appendParse(nil, e.change.name, text, nil))
		return nil
	}
	if len(parts) > 0 {
		c.forward(len(msg), e)
		return nil
	}
	c.queue.push(e) // an empty query: nothing but nothing is sent
	f, at := startFrame(nil, typeParse)
	f = append(append(f, m.statement...), 0, 0, 0, 0)
	c.flow.replace(len(msg), endFrame(f, at))
	return nil
}

// preparable refuses a text that no Execute would be allowed to run.
func (c *requests) preparable(text string, parts []sql.Statement) error {
	if len(parts) > 1 {
		return &problem{code: "42601", message: "cannot insert multiple commands into a prepared statement"}
	}
	if c.queue.is(func() bool { return c.queue.names.held+len(text) > maxPrepared }) {
		return &problem{code: "53200", message: fmt.Sprintf("the prepared statements of a session may hold %d bytes of text", maxPrepared),
			hint: "close those that are not needed any more"}
	}
	resolved, err := c.resolve(parts)
	if err != nil {
		return err
	}
	for i := range resolved {
		if err := c.announce(&resolved[i]); err != nil {
			return err
		}
	}
	return nil
}

// bind handles Bind: the parameters wait for the Execute.
func (c *requests) bind(msg []byte) error {
	m, err := decodeBind(msg[headerSize:])
	if err != nil {
		return protocolError(err)
	}
	if c.queue.is(func() bool { return c.queue.names.bound+len(msg) > maxBound }) {
		c.refuse(len(msg), &problem{code: "53200", message: fmt.Sprintf("the portals of a session may hold %d bytes", maxBound)})
		return nil
	}
	if c.confused && len(m.statement) > 0 {
		if err := c.surely(string(m.statement)); err != nil {
			return err
		}
		msg = c.flow.buf[c.flow.pos : c.flow.pos+c.size]
		if m, err = decodeBind(msg[headerSize:]); err != nil { // the bytes may lie elsewhere by now
			return protocolError(err)
		}
	}
	s, err := c.statementNamed(string(m.statement))
	if err != nil {
		return err
	}
	e := c.queue.entry(typeBind)
	e.change = &binding{portal: true, name: string(m.portal), to: &portal{of: s}}
	if m.params.count() > 0 {
		e.change.to.bind = append([]byte(nil), msg[headerSize:]...)
	}
	c.forward(len(msg), e)
	return nil
}

// statementNamed gives what a name means for a message sent now, waiting where
// that depends on an answer.
func (c *requests) statementNamed(name string) (s *statement, err error) {
	q := c.queue
	err = c.await(func() bool {
		s = q.names.statement(name)
		return q.names.settled(false, name, q.segment)
	})
	return s, err
}

func (c *requests) portalNamed(name string) (p *portal, err error) {
	q := c.queue
	err = c.await(func() bool {
		p = q.names.portal(name)
		return q.names.settled(true, name, q.segment)
	})
	return p, err
}

// describe handles Describe. The description of a portal right before its
// Execute is the one that rows are masked by.
func (c *requests) describe(msg []byte) error {
	m, err := decodeTarget(msg[headerSize:])
	if err != nil {
		return protocolError(err)
	}
	e := c.queue.entry(typeDescribe)
	e.subtype = m.subtype
	if m.subtype == subtypePortal && c.view.active() {
		e.view = c.view
		c.described, c.isDescribed = string(m.name), true
	}
	if m.subtype == subtypeStatement {
		c.queue.locked(func() { e.describes = c.queue.names.statement(string(m.name)) })
	}
	c.forward(len(msg), e)
	return nil
}

// close handles Close. It never fails, whether or not the name exists.
func (c *requests) close(msg []byte) error {
	m, err := decodeTarget(msg[headerSize:])
	if err != nil {
		return protocolError(err)
	}
	e := c.queue.entry(typeClose)
	e.subtype = m.subtype
	e.change = &binding{portal: m.subtype == subtypePortal, name: string(m.name)}
	if e.change.portal {
		c.endPortal(e.change.name)
	}
	c.forward(len(msg), e)
	return nil
}

// endPortal ends the ticket of a portal that was left suspended.
func (c *requests) endPortal(name string) {
	c.queue.locked(func() {
		if p := c.queue.names.portals[name]; p != nil && p.ticket != nil && p.suspended {
			c.finish(p.ticket, outcome("ok", ""))
		}
	})
}

// execute handles Execute: the verdict, with the parameters, and its event.
func (c *requests) execute(ctx context.Context, msg []byte) error {
	m, err := decodeExecute(msg[headerSize:])
	if err != nil {
		return protocolError(err)
	}
	name := string(m.portal) // msg is stale once it has waited
	p, err := c.portalNamed(name)
	if err != nil {
		return err
	}
	if p == nil || p.of == nil {
		c.refuse(c.size, unknownPortal(name))
		return nil
	}
	e := c.queue.entry(typeExecute)
	if err := c.judgePortal(ctx, p, e); err != nil {
		var st *sql.Statement
		if len(p.of.parts) > 0 {
			st = &p.of.parts[0]
		}
		return c.refuseOr(c.size, err, st)
	}
	if e.view != nil && !(c.isDescribed && c.described == name) {
		c.describePortal(name, e.view)
	}
	for i := range p.of.parts {
		c.passes(&p.of.parts[i])
	}
	c.forward(c.size, e)
	return c.awaitCopy(p.of.parts)
}

// judgePortal gives the entry its ticket and view. A portal that is executed in
// parts is one action.
func (c *requests) judgePortal(ctx context.Context, p *portal, e *entry) error {
	e.of = p
	if len(p.of.parts) == 0 {
		return nil
	}
	var err error
	if c.resumed(p, e) {
		e.view, err = c.inForce(ctx)
		return err
	}
	params, exact, err := p.parameters(c.typesOf(p.of))
	if err != nil {
		return err
	}
	parts, err := c.resolve(p.of.parts)
	if err != nil {
		return err
	}
	t, err := c.judgeOne(ctx, &parts[0], origin{of: p.of}, params, exact)
	if err != nil {
		return err
	}
	if e.view, err = c.maskable(ctx, t, p.of.parts[0].Text); err != nil {
		c.withdraw([]*ticket{t}, err)
		return err
	}
	c.queue.locked(func() { p.ticket = t })
	e.tickets = append(e.one[:0], t)
	return nil
}

// resumed reports whether an Execute goes on with what another began.
func (c *requests) resumed(p *portal, e *entry) bool {
	c.queue.locked(func() {
		if p.ticket != nil && !p.ticket.finished {
			e.tickets = append(e.one[:0], p.ticket)
			p.suspended = false
		}
	})
	return e.tickets != nil
}

// describePortal asks the target for a description that the client did not ask
// for.
func (c *requests) describePortal(name string, v *view) {
	d := c.queue.entry(typeDescribe)
	d.subtype, d.hidden, d.view = subtypePortal, true, v
	c.queue.push(d)
	c.flow.put(appendTarget(nil, typeDescribe, subtypePortal, name))
}

func unknownPortal(name string) *problem {
	return &problem{code: "34000", message: fmt.Sprintf("portal %q does not exist", name),
		detail: "No Bind of this session made it from a statement that hoop has judged.",
		hint:   "use FETCH for a cursor made by DECLARE, and EXECUTE for a statement made by PREPARE"}
}
