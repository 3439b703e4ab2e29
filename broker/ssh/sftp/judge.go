package sftp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hoop/policy"
)

// judge decides on a request that names something and forwards or answers it.
func (i *Inspector) judge(ctx context.Context, f frame) error {
	r, err := decodeRequest(f, i.table.find)
	if err == nil && r.onOpen && r.handle == nil {
		return i.refuse(f.id(), notOpen())
	}
	if errors.Is(err, errUnknown) {
		return i.unknown(ctx, f, r, &refusal{StatusUnsupported, "hoop: this SFTP request is not known, so it is not forwarded"})
	}
	if err != nil {
		return i.unknown(ctx, f, r, &refusal{StatusBadMessage, "hoop: this SFTP request cannot be read: " + err.Error()})
	}
	nowhere, err := i.resolve(ctx, r)
	if err != nil {
		return err
	}
	d, denied := i.ask(ctx, r)
	if denied != nil {
		return i.refuse(f.id(), denied)
	}
	if d.op.Waited {
		nowhere, err = i.again(ctx, r)
	}
	if err = errors.Join(err, context.Cause(ctx)); err != nil {
		d.end(StatusOK, true)
		return err
	}
	if nowhere == nil && r.expect == expectHandle && i.table.full() {
		nowhere = &refusal{StatusFailure, "hoop: too many files are open in this SFTP session"}
	}
	if nowhere != nil {
		d.end(nowhere.code, false)
		return i.refuse(f.id(), nowhere)
	}
	return i.forward(ctx, f, r, d)
}

// again asks where the paths of a request lead after people were asked: what they
// saw is what counts.
func (i *Inspector) again(ctx context.Context, r *request) (*refusal, error) {
	seen := r.op
	nowhere, err := i.resolve(ctx, r)
	if err != nil || nowhere != nil {
		return nowhere, err
	}
	if r.op.Path != seen.Path || r.op.Named != seen.Named || r.op.NewPath != seen.NewPath || r.op.NewNamed != seen.NewNamed {
		return &refusal{StatusPermissionDenied, "hoop: what was approved is not what would happen now: the path leads elsewhere"}, nil
	}
	return nil, nil
}

// ask gets the decision: two where a file is opened for reading and writing.
func (i *Inspector) ask(ctx context.Context, r *request) (*decided, *refusal) {
	d := &decided{started: time.Now(), open: r.open}
	verbs := []string{r.op.Verb}
	if r.also != "" {
		verbs = []string{r.also, r.op.Verb}
	}
	waited := false
	for _, verb := range verbs {
		op := r.op
		op.Verb = verb
		done, err := i.decide(ctx, &op)
		if err != nil {
			d.end(StatusPermissionDenied, false)
			return nil, &refusal{StatusPermissionDenied, "hoop: " + err.Error()}
		}
		d.add(verb, r.also != "", done)
		waited = waited || op.Waited
	}
	d.op = r.op
	d.op.Waited = waited
	d.op.Exact = nil // its work is done, and the file may stay open for long
	return d, nil
}

// add keeps what to call at the end. With two decisions each is told its own
// direction alone.
func (d *decided) add(verb string, half bool, done func(Result)) {
	before := d.finish
	d.finish = func(r Result) {
		if before != nil {
			before(r)
		}
		if half && verb == policy.SSHSFTPRead {
			r.Written = Transfer{}
		} else if half {
			r.Read = Transfer{}
		}
		if done != nil {
			done(r)
		}
	}
}

// unknown has the attempt recorded. It is not forwarded, whatever is decided.
func (i *Inspector) unknown(ctx context.Context, f frame, r *request, refused *refusal) error {
	r.op.Verb, r.also = policy.SSHUnknown, ""
	if r.op.Name == "" {
		r.op.Name = fmt.Sprintf("request %d", f.kind())
	}
	if d, denied := i.ask(ctx, r); denied == nil {
		d.end(refused.code, false)
	}
	return i.refuse(f.id(), refused)
}

// forward sends a request that was allowed.
func (i *Inspector) forward(ctx context.Context, f frame, r *request, d *decided) error {
	if err := i.table.slot(ctx); err != nil {
		d.end(StatusOK, true)
		return err
	}
	if r.other != nil {
		r.handle.written.partial = true // what is copied at the target is not seen
	}
	if err := i.table.add(f.id(), pending{kind: f.kind(), expect: r.expect, handle: r.handle, op: d}); err != nil {
		d.end(StatusOK, true)
		return err
	}
	return i.toServer(f)
}
