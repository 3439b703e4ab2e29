package postgres

import (
	"context"
	"errors"
	"slices"

	"hoop/broker"
	"hoop/policy"
	"hoop/policy/sql"
	"hoop/recorder"
)

// query handles a simple Query: every statement of it is judged before any is
// forwarded ("Simple Query", "Multiple Statements in a Simple Query").
func (c *requests) query(ctx context.Context, msg []byte) error {
	c.parsed = false
	m, err := decodeQuery(msg[headerSize:])
	if err != nil {
		return protocolError(err)
	}
	_, parts, err := c.analyse(ctx, m.text)
	if err == nil {
		parts, err = c.resolve(parts)
	}
	if err != nil {
		return c.refuseOr(c.size, err, nil)
	}
	e := c.queue.entry(typeQuery)
	if len(parts) == 0 { // nothing to judge, so nothing but nothing is sent
		c.queue.push(e)
		c.flow.replace(c.size, []byte{typeQuery, 0, 0, 0, 5, 0})
		return nil
	}
	if i, err := c.judgeAll(ctx, e, parts); err != nil {
		c.withdraw(e.tickets, err)
		return c.refuseOr(c.size, err, &parts[i])
	}
	for i := range parts {
		c.passes(&parts[i])
	}
	if c.runsParsed(parts, e) {
		c.runParsed(e)
	} else if text, quieted := c.quieted(parts); quieted {
		c.queue.push(e)
		b, at := startFrame(nil, typeQuery)
		c.flow.replace(c.size, endFrame(append(append(b, text...), 0), at))
	} else {
		c.forward(c.size, e)
	}
	c.reshaped = false // a Query ends with the target's report
	return c.awaitCopy(parts)
}

// judgeAll gives the entry its tickets and view, or the place of the first
// statement that must not run.
func (c *requests) judgeAll(ctx context.Context, e *entry, parts []sql.Statement) (int, error) {
	e.tickets = e.one[:0]
	at, changed := 0, false
	for i := range parts {
		t, err := c.judgeOne(ctx, &parts[i], origin{at: at, changed: changed}, nil, nil)
		if err != nil {
			return i, err
		}
		at += len(parts[i].Text)
		changed = changed || changesMeaning(parts[i].Facts)
		e.tickets = append(e.tickets, t)
		if e.view, err = c.maskable(ctx, t, parts[i].Text); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// judgeOne gives the ticket of one statement. Where the target says what is
// wrong with it, that is the answer, and recorded as such.
func (c *requests) judgeOne(ctx context.Context, st *sql.Statement, from origin, params []recorder.Param, exact []byte) (*ticket, error) {
	c.prepareAction(st, params, exact)
	d, derr := c.derive(ctx, st, from)
	if fatal(derr) {
		return nil, derr
	}
	t, err := c.decide(ctx, st, d, params, exact)
	if err == nil && derr == nil {
		derr = c.clouded(t)
	}
	if err == nil && derr != nil {
		c.finish(t, refused(derr))
		return nil, derr
	}
	if err != nil {
		return nil, err
	}
	if st.Facts.Kind == "declare" {
		t.declares = st.Name
	}
	c.confuse(st.Facts.Kind, d)
	if !from.changed {
		c.recall(st, d, t)
	}
	return t, nil
}

// fatal errors are of the session, not of a statement.
func fatal(err error) bool {
	return errors.Is(err, errStopped) || errors.Is(err, errTargetGone) || errors.Is(err, context.Canceled)
}

// refused is how a statement ends that policy allows and that does not run.
func refused(err error) broker.Outcome {
	var p *problem
	if errors.As(err, &p) && p.raw != nil {
		return outcome("error", p.code)
	}
	return outcome("denied", "42501")
}

// changesMeaning reports whether a statement may change what later ones mean.
func changesMeaning(f *policy.SQL) bool {
	return f.Unknown || changesSchema(f) || slices.Contains(f.Effects, "session")
}

// maskable gives the view that holds for an allowed statement, and refuses what
// policy allows but no masking is possible for, now or after it.
func (c *requests) maskable(ctx context.Context, t *ticket, text string) (*view, error) {
	if err := readable(t.facts, text); err != nil {
		return nil, err
	}
	v, err := c.inForce(ctx)
	if err == nil && v != nil && t.copy != nil {
		err = v.copyable(t)
	}
	return v, err
}

// withdraw ends tickets of statements that are not forwarded after all. Where
// the last one was allowed it is the one that err refuses.
func (c *requests) withdraw(tickets []*ticket, err error) {
	var d *broker.Denial
	for i, t := range tickets {
		o := broker.Outcome{Result: "skipped"}
		if t.finished {
			continue
		}
		if i == len(tickets)-1 && !errors.As(err, &d) {
			o.Result, o.Code = "denied", "42501"
		}
		c.finish(t, o)
	}
}

// refuseOr refuses a message, unless the session itself has failed.
func (c *requests) refuseOr(size int, err error, st *sql.Statement) error {
	if fatal(err) {
		return err
	}
	c.refuse(size, problemOf(err, st))
	return nil
}

// functionCall handles FunctionCall: arguments and result name no column and
// no text, so that only a rule that names the verb lets it pass.
func (c *requests) functionCall(ctx context.Context, msg []byte) error {
	if _, err := decodeFunctionCall(msg[headerSize:]); err != nil {
		return protocolError(err)
	}
	facts := &policy.SQL{Kind: "function_call", Effects: []string{"code"}, Unknown: true, Why: "the function is called outside SQL"}
	t, err := c.decide(ctx, &sql.Statement{Text: "FunctionCall", Facts: facts}, nil, nil, slices.Clone(msg[headerSize:]))
	if err != nil {
		return c.refuseOr(c.size, err, nil)
	}
	v, err := c.inForce(ctx)
	if err == nil && v != nil && !showsAll(t) {
		err = &problem{code: "42501", message: "denied: the result of a function call cannot be masked", hint: "use SELECT"}
	}
	e := c.queue.entry(typeFunctionCall)
	e.tickets = append(e.one[:0], t)
	if err != nil {
		c.withdraw(e.tickets, err)
		return c.refuseOr(c.size, err, nil)
	}
	c.reshaped = true
	c.forward(c.size, e)
	return nil
}
