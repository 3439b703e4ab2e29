package postgres

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"hoop/broker"
)

// maxResponse is the largest message of a target that must be read whole, in
// bytes: rows where values may have to be masked, and everything but rows.
const maxResponse = 64 << 20

// responses is the direction from target to client: it matches each answer to
// the message it belongs to, masks values, and counts.
type responses struct {
	*relay
	flow flow
	bulk bulk

	cur    *entry // the oldest entry, as far as known
	rows   int64  // of the answer under way
	mark   int64  // flow.sent when the answer began
	status byte   // of the transaction, from the last ReadyForQuery
	ddl    bool   // a schema change passed since the last ReadyForQuery with status I
	masker masker
	copied *copyMasker // of a COPY TO under way; nil where its data pass untouched

	held  bool // the last write ended within a frame; relay.writing
	torn  bool // a write to the client failed: nothing more fits
	fatal bool // the target said that it ends the connection
}

// run relays until the target ends.
func (p *responses) run(ctx context.Context) error {
	for {
		if err := p.fill(); err != nil {
			return gone(err, errTargetGone)
		}
		err := p.batch(ctx)
		if werr := p.flushAll(); err == nil {
			err = gone(werr, errClientGone)
		}
		if err != nil {
			return err
		}
	}
}

// fill reads what is there, in bulk mode more of it.
func (p *responses) fill() error {
	f := &p.flow
	p.masker.moved()
	if p.bulk.mode() {
		return p.fillBulk()
	}
	before := f.end - f.pos
	if err := f.fill(); err != nil {
		return err
	}
	p.bulk.count(f.end - f.pos - before)
	if f.buf == nil && p.cur == nil {
		p.masker.idle()
	}
	return nil
}

// fillBulk waits for much and reads what is there of it.
func (p *responses) fillBulk() error {
	f := &p.flow
	if err := p.bulk.wait(); err != nil {
		return err
	}
	f.armed = time.Time{} // wait moved the deadline
	if f.stopped.Load() {
		return errStopped
	}
	if !p.bulk.mode() {
		return nil
	}
	f.makeRoom()
	n, err := p.bulk.fill(f.src, f.buf[f.end:])
	f.end += n
	return err
}

// flushAll writes what is ready, and notices where they fit.
func (p *responses) flushAll() error {
	p.writing.Lock()
	defer p.writing.Unlock()
	err := p.flow.flush()
	p.held = p.flow.skip > 0
	if err == nil && !p.held {
		err = p.flushNotices()
	}
	if err != nil {
		p.torn = true
	}
	return err
}

// batch handles every frame that is there.
func (p *responses) batch(ctx context.Context) error {
	f := &p.flow
	for f.pos < f.end {
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
		if streams, err := p.streams(kind); err != nil {
			return err
		} else if streams {
			f.stream(size, false)
			continue
		}
		if !complete {
			return f.incomplete(size, maxResponse)
		}
		f.need = 0
		if err := p.message(ctx, kind, f.buf[f.pos:f.pos+size]); err != nil {
			return err
		}
	}
	return nil
}

// streams reports whether a frame may pass without a look inside.
func (p *responses) streams(kind byte) (bool, error) {
	switch kind {
	case 'D':
		e, err := p.expect(kind, typeQuery, typeExecute)
		if err != nil || e.view != nil || e.capture != nil {
			return false, err
		}
		p.rows++
		return true, nil
	case 'd':
		_, err := p.expect(kind, typeQuery, typeExecute)
		return p.copied == nil, err
	}
	return false, nil
}

// current is the entry that an answer belongs to, nil where none is owed.
func (p *responses) current() *entry {
	if p.cur == nil {
		if p.cur = p.queue.first(); p.cur != nil {
			p.rows, p.mark = 0, p.flow.sent
		}
	}
	return p.cur
}

// expect gives the current entry, which must be of one of the kinds.
func (p *responses) expect(kind byte, of ...byte) (*entry, error) {
	if e := p.current(); e != nil && bytes.IndexByte(of, e.kind) >= 0 {
		return e, nil
	}
	return nil, fmt.Errorf("%w: the target sent %q where nothing asked for it", errProtocol, kind)
}

// done forgets the current entry.
func (p *responses) done(agreed bool) {
	p.cur = nil
	p.queue.pop(agreed)
}

// message handles one whole frame.
func (p *responses) message(ctx context.Context, kind byte, msg []byte) error {
	if e := p.current(); e != nil && e.capture != nil && !asynchronous(kind) {
		return p.captured(kind, msg, e)
	} else if err := p.settle(ctx, e); err != nil {
		return err
	}
	switch kind {
	case 'D':
		return p.dataRow(ctx, msg)
	case 'd':
		return p.copyOutData(msg)
	case 'T', 't', 'n':
		return p.description(kind, msg)
	case 'C', 'I', 's':
		return p.complete(ctx, kind, msg)
	case 'Z':
		return p.ready(msg)
	case 'E':
		return p.failed(msg)
	case 'N':
		return p.notified(ctx, msg)
	case '1':
		return p.agreed(kind, msg, typeParse)
	case '2':
		return p.agreed(kind, msg, typeBind)
	case '3':
		return p.agreed(kind, msg, typeClose)
	case 'S':
		return p.parameter(msg)
	case 'A':
		return p.notification(msg)
	case 'G':
		return p.copyIn(msg)
	case 'H':
		return p.copyOut(ctx, msg)
	case 'c':
		return p.copyDone(msg)
	case 'V':
		if _, err := p.expect(kind, typeFunctionCall); err != nil {
			return err
		}
		p.flow.pass(len(msg))
		return nil
	default:
		return fmt.Errorf("%w: the target sent %q, which has no place in a session", errProtocol, kind)
	}
}

// asynchronous messages come at any time and answer nothing.
func asynchronous(kind byte) bool { return kind == 'N' || kind == 'S' || kind == 'A' }

// agreed handles the plain answers to Parse, Bind and Close.
func (p *responses) agreed(kind byte, msg []byte, of byte) error {
	e, err := p.expect(kind, of)
	if err != nil {
		return err
	}
	if of == typeParse && e.change != nil && e.change.statement != nil {
		p.queue.locked(func() { e.change.statement.answered = true })
	}
	if e.direct {
		p.flow.omit(len(msg))
	} else {
		p.flow.pass(len(msg))
	}
	p.done(true)
	return nil
}

// description handles RowDescription, ParameterDescription and NoData.
func (p *responses) description(kind byte, msg []byte) error {
	e, err := p.expect(kind, typeDescribe, typeQuery)
	if err != nil || e.denied != nil || e.kind == typeQuery && kind != 'T' {
		return fmt.Errorf("%w: the target sent %q where nothing asked for it", errProtocol, kind)
	}
	if e.view != nil {
		p.masker.describe(kind, msg[headerSize:])
	}
	if kind == 't' {
		p.learnTypes(e.describes, msg[headerSize:])
	}
	if e.hidden {
		p.flow.omit(len(msg))
	} else {
		p.flow.pass(len(msg))
	}
	if e.kind == typeDescribe && kind != 't' {
		p.done(true)
	}
	return nil
}

// complete handles the end of one statement: CommandComplete,
// EmptyQueryResponse and PortalSuspended.
func (p *responses) complete(ctx context.Context, kind byte, msg []byte) error {
	e, err := p.expect(kind, typeQuery, typeExecute)
	if err != nil || kind == 's' && e.kind == typeQuery {
		return fmt.Errorf("%w: the target sent %q where nothing asked for it", errProtocol, kind)
	}
	p.flow.pass(len(msg))
	t := e.ticket()
	p.tally(t, kind, msg)
	if t != nil && changesSchema(t.facts) {
		p.ddl = true
		p.schemaChanged(e.view)
	}
	p.copied = nil
	var stands *derivation
	if t != nil && t.prepares != nil && kind == 'C' {
		stands = p.preparedAs(ctx, e, t)
	}
	p.queue.locked(func() {
		p.queue.copyIn = false
		switch {
		case kind != 's':
			if t != nil && t.prepares != nil {
				p.queue.names.prepared(t.prepares)
				p.queue.names.stands(t.prepares.Name, stands)
			}
			if t != nil && t.declares != "" {
				p.queue.names.declared(t.declares, t.derived)
			}
			p.finish(t, outcome("ok", ""))
		case e.of != nil:
			e.of.suspended = true
		}
	})
	if e.kind == typeExecute {
		p.done(true)
	} else {
		e.done++
	}
	return nil
}

// ticket is the one of the statement under way; nil where there is none, as in
// an empty query.
func (e *entry) ticket() *ticket {
	if e.done < len(e.tickets) {
		return e.tickets[e.done]
	}
	return nil
}

// tally counts what a statement gave.
func (p *responses) tally(t *ticket, kind byte, msg []byte) {
	if t != nil {
		if p.rows == 0 && kind == 'C' {
			p.rows = taggedRows(msg[headerSize:])
		}
		t.rows += p.rows
		t.bytes += p.flow.sent - p.mark
		t.masked = p.masker.counts(t.masked)
	}
	p.rows, p.mark = 0, p.flow.sent
}

// taggedRows is the count at the end of a command tag ("CommandComplete").
func taggedRows(body []byte) int64 {
	tag := bytes.TrimSuffix(body, []byte{0})
	n, err := strconv.ParseInt(string(tag[bytes.LastIndexByte(tag, ' ')+1:]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// ready handles ReadyForQuery, the end of a Query, FunctionCall or segment.
func (p *responses) ready(msg []byte) error {
	if len(msg) != headerSize+1 {
		return fmt.Errorf("%w: a ReadyForQuery of %d bytes", errProtocol, len(msg))
	}
	e, err := p.expect('Z', typeQuery, typeSync, typeFunctionCall)
	if err != nil {
		return err
	}
	p.status = msg[headerSize]
	p.flow.pass(len(msg))
	p.bulk.end()
	p.masker.describe('n', nil)
	if p.ddl {
		p.schemaChanged(e.view)
		p.ddl = p.status != 'I'
	}
	result := "ok" // of statements that had no answer of their own
	if e.failed {
		result = "skipped"
	}
	p.queue.locked(func() {
		for _, t := range e.tickets {
			p.finish(t, outcome(result, ""))
		}
		p.queue.skipping, p.queue.copyIn = false, false
		if p.status == 'I' { // the end of a transaction ends its portals
			p.endPortals()
		}
	})
	p.done(true)
	if p.queue.first() == nil {
		p.up.running.Store(0)
	}
	return nil
}

// endPortals forgets every portal and ends what was left suspended; the queue's
// lock is held.
func (p *responses) endPortals() {
	for name, at := range p.queue.names.portals {
		if at.suspended {
			p.finish(at.ticket, outcome("ok", ""))
		}
		p.queue.names.setPortal(name, nil)
	}
}

// copyIn handles CopyInResponse.
func (p *responses) copyIn(msg []byte) error {
	e, err := p.expect('G', typeQuery, typeExecute)
	if err != nil {
		return err
	}
	if t := e.ticket(); t == nil || t.facts.Kind != "copy_in" && !t.facts.Unknown {
		return fmt.Errorf("%w: the target asks for copy data that no statement offered", errProtocol)
	}
	p.flow.pass(len(msg))
	p.queue.locked(func() { p.queue.copyIn = true })
	return nil
}

// result words an error's code as an outcome: 57014 is query_canceled.
func result(code string) broker.Outcome {
	if code == "57014" {
		return outcome("cancelled", code)
	}
	return outcome("error", code)
}
