package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"hoop/policy/mask"
)

// failed handles ErrorResponse. It belongs to the current entry; where none is
// under way the target ends the connection.
func (p *responses) failed(msg []byte) error {
	r := report{body: msg[headerSize:]}
	if err := r.check(); err != nil {
		return err
	}
	e := p.current()
	if s := r.field('V'); string(s) == "FATAL" || string(s) == "PANIC" {
		p.fatal = true
	}
	switch {
	case e != nil && e.denied != nil:
		p.flow.replace(len(msg), e.denied)
	default:
		p.tell(msg, &r, e)
	}
	if e == nil {
		return nil
	}
	p.copied = nil
	code := string(r.field('C'))
	t := e.ticket()
	p.tally(t, 'E', msg)
	p.queue.locked(func() {
		p.queue.copyIn = false
		p.finish(t, result(code))
	})
	switch e.kind {
	case typeQuery:
		e.failed = true
	case typeFunctionCall, typeSync:
	default:
		p.cur = nil
		p.queue.fail()
	}
	return nil
}

// notified handles NoticeResponse, which may come at any time.
func (p *responses) notified(ctx context.Context, msg []byte) error {
	r := report{body: msg[headerSize:]}
	if err := r.check(); err != nil {
		return err
	}
	if tree, ok := treeOf(&r); ok && p.up.armed.Load() {
		p.flow.omit(len(msg))
		return p.told(ctx, tree)
	}
	if !p.audible(r.field('V')) {
		p.flow.omit(len(msg))
		return nil
	}
	p.tell(msg, &r, p.current())
	return nil
}

// tell passes an error or a notice on, without the values that policy keeps
// from the client.
func (p *responses) tell(msg []byte, r *report, e *entry) {
	v := p.viewOf(e)
	if v == nil {
		p.flow.pass(len(msg))
		return
	}
	t := e.underWay()
	withhold := t != nil && (v.labelled(t.facts) || t.derived != nil && t.derived.touches()) && !showsAll(t)
	if !withhold && v.detectors == nil {
		p.flow.pass(len(msg))
		return
	}
	out, at := startFrame(nil, msg[0])
	for rest := r.body; len(rest) > 1; {
		end := bytes.IndexByte(rest, 0)
		code, value := rest[0], rest[1:end]
		rest = rest[end+1:]
		if withhold {
			value = r.withheld(code, value)
		}
		if value == nil {
			continue
		}
		out = append(out, code)
		out = append(p.masker.text(v, out, code, value), 0)
	}
	out = endFrame(append(out, 0), at)
	p.flow.replace(len(msg), out)
}

// viewOf is the view that holds for what belongs to an entry, or to none.
func (p *responses) viewOf(e *entry) *view {
	if e != nil && e.view != nil {
		return e.view
	}
	v, err := p.e.views.of(p.session, p.up.database)
	if err != nil || !v.active() {
		return nil
	}
	return v
}

// underWay is the ticket of what runs; Parse, Bind and Describe run nothing.
func (e *entry) underWay() *ticket {
	if e == nil {
		return nil
	}
	return e.ticket()
}

func showsAll(t *ticket) bool { return slices.Contains(t.Verdict.Unmask, "*") }

// report is the body of an ErrorResponse or NoticeResponse ("Error and Notice
// Message Fields").
type report struct{ body []byte }

func (r *report) check() error {
	rest := r.body
	for len(rest) > 0 && rest[0] != 0 {
		end := bytes.IndexByte(rest, 0)
		if end < 0 {
			return fmt.Errorf("%w: an error or notice whose field has no end", errProtocol)
		}
		rest = rest[end+1:]
	}
	if len(rest) != 1 {
		return fmt.Errorf("%w: an error or notice without an end", errProtocol)
	}
	return nil
}

func (r *report) field(code byte) []byte {
	for rest := r.body; len(rest) > 1; {
		end := bytes.IndexByte(rest, 0)
		if rest[0] == code {
			return rest[1:end]
		}
		rest = rest[end+1:]
	}
	return nil
}

// withheldMessage stands for a message that may quote a value.
const withheldMessage = "the message is withheld, because the statement touches labelled data"

// withheld gives what may be shown of one field when the statement touches
// labelled columns; nil leaves the field out. Detail, context and inner queries
// quote values freely. The message is kept where its class of errors speaks of
// the statement's text or of the server's state, and where it has a position,
// which only complaints about the text have.
func (r *report) withheld(code byte, value []byte) []byte {
	switch code {
	case 'D', 'W', 'q', 'p', 'H':
		return nil
	case 'M':
		if !r.harmless() {
			return []byte(withheldMessage)
		}
	case 's', 't', 'c', 'd', 'n': // RAISE … USING COLUMN = value sets them
		if r.raised() {
			return nil
		}
	case 'C':
		if r.raised() {
			return []byte(raisedCode)
		}
	}
	return value
}

// raisedCode is raise_exception, or what a notice has.
const raisedCode = "P0001"

// raised reports whether code in a procedural language wrote the report, and so
// may have chosen all of its fields.
func (r *report) raised() bool {
	routine := string(r.field('R'))
	return routine == "exec_stmt_raise" || strings.HasPrefix(routine, "PLy_") || strings.HasPrefix(routine, "plperl") ||
		strings.HasPrefix(routine, "pltcl") || strings.HasPrefix(routine, "plv8")
}

func (r *report) harmless() bool {
	code := string(r.field('C'))
	if len(code) != 5 {
		return false
	}
	switch code[:2] {
	case "00", "01":
		return string(r.field('R')) != "exec_stmt_raise"
	case "42":
		return r.field('P') != nil || string(r.field('R')) == "aclcheck_error"
	}
	return strings.Contains("08 25 26 28 2D 34 40 53 55 57", code[:2])
}

// text appends one field with every finding of the detectors replaced.
func (m *masker) text(v *view, dst []byte, code byte, value []byte) []byte {
	if v.detectors == nil || bytes.IndexByte([]byte("MDHWq"), code) < 0 {
		return append(dst, value...)
	}
	m.ready()
	if out, found := v.detectors.MaskText(dst, value, mask.Context{}, m.found); found {
		return out
	}
	return append(dst, value...)
}

// notification handles NotificationResponse: its payload is text that anybody
// may have written.
func (p *responses) notification(msg []byte) error {
	body := reader{rest: msg[headerSize:]}
	head := body.take(4)
	channel, payload := body.cstring(), body.cstring()
	if err := body.done(); err != nil {
		return protocolError(err)
	}
	v := p.viewOf(nil)
	if v == nil || v.detectors == nil {
		p.flow.pass(len(msg))
		return nil
	}
	out, at := startFrame(nil, 'A')
	out = append(append(append(out, head...), channel...), 0)
	out = append(p.masker.text(v, out, 'M', payload), 0)
	p.flow.replace(len(msg), endFrame(out, at))
	return nil
}

// parameter handles ParameterStatus. Two settings decide how SQL text is read:
// when they change, nothing that policy says of later text would hold.
func (p *responses) parameter(msg []byte) error {
	body := reader{rest: msg[headerSize:]}
	name, value := string(body.cstring()), body.cstring()
	if err := body.done(); err != nil {
		return protocolError(err)
	}
	if fixed, ok := fixedSettings()[name]; ok && string(value) != fixed {
		return &refusal{sqlstate: "22023", hint: "do not change it",
			message: fmt.Sprintf("%s must be %s through hoop, which has to read SQL as the server does", name, fixed)}
	}
	v := p.viewOf(nil)
	if v == nil || v.detectors == nil {
		p.flow.pass(len(msg))
		return nil
	}
	out, at := startFrame(nil, 'S')
	out = append(append(out, name...), 0)
	out = append(p.masker.text(v, out, 'M', value), 0)
	p.flow.replace(len(msg), endFrame(out, at))
	return nil
}

// schemaChanged makes the catalog look again before the next result.
func (p *responses) schemaChanged(v *view) {
	if v == nil {
		v = p.viewOf(nil)
	}
	if v != nil && v.catalog != nil {
		v.catalog.expire()
	}
}

// snapshot gives the labels by column as they are now.
func (p *responses) snapshot(ctx context.Context, v *view) (*snapshot, error) {
	if v.catalog == nil {
		return nil, nil
	}
	return v.catalog.get(ctx, p.connect)
}
