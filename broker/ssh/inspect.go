package ssh

import (
	"context"
	"errors"
	"io"
	"sync"

	"hoop/broker"
	"hoop/broker/ssh/sftp"
	"hoop/policy"
)

// inspect connects an SFTP client and server by way of an inspector: every
// operation is an action of its own.
func (p *program) inspect() {
	c := p.c
	i := sftp.New(&c.out, c.up, p.operation)
	var both sync.WaitGroup
	both.Add(2)
	c.stdin.begin(func(src io.Reader) error {
		defer both.Done()
		err := i.Requests(c.ctx, src)
		if err != nil && c.ctx.Err() == nil {
			p.fail(err)
		}
		return err
	})
	p.carry(func() error {
		defer both.Done()
		return i.Replies(c.ctx, c.up)
	})
	c.spawn(func() error {
		both.Wait()
		i.Close()
		return nil
	})
}

// operation decides on one operation. It concerns the place where its paths
// lead and the one that they name: the stricter verdict holds.
func (p *program) operation(ctx context.Context, op *sftp.Operation) (func(sftp.Result), error) {
	a := p.operationAction(op, op.Path, op.NewPath)
	if op.Named != "" || op.NewNamed != "" {
		named := p.operationAction(op, or(op.Named, op.Path), or(op.NewNamed, op.NewPath))
		if p.c.r.s.Preview(named).Effect < p.c.r.s.Preview(a).Effect {
			a = named
		}
	}
	t, err := p.c.r.s.Decide(ctx, a)
	if err != nil {
		return nil, errors.New(forwardRefusal(err))
	}
	op.Waited = t.Approved
	return func(r sftp.Result) { p.c.r.s.Finish(t, operationOutcome(&r)) }, nil
}

func (p *program) operationAction(op *sftp.Operation, path, newPath string) *broker.Action {
	return &broker.Action{Exact: op.Exact, Holder: &holder{c: p.c}, Action: policy.Action{Verb: op.Verb, Text: op.Text(),
		SSH: &policy.SSH{Login: p.c.r.login, Path: path, NewPath: newPath, Name: op.Name}}}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// operationOutcome words for the record how an operation ended.
func operationOutcome(r *sftp.Result) broker.Outcome {
	o := outcome("ok", "")
	switch {
	case r.Lost:
		o.Result = "lost"
	case r.Code != sftp.StatusOK:
		o = outcome("error", sftp.StatusText(r.Code))
	}
	o.Rows, o.Bytes = r.Entries, r.Read.Bytes+r.Written.Bytes
	moved := r.Read
	if r.Written.Bytes > 0 {
		moved = r.Written
	}
	o.SHA256 = moved.SHA256
	if moved.Partial || moved.Offset > 0 {
		o.Reason = "partial: not from the beginning to the end"
	}
	return o
}
