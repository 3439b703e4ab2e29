package sftp

import (
	"context"
	"fmt"
	"path"
	"strings"
)

// workFolder asks for the folder in which relative paths begin.
func (i *Inspector) workFolder(ctx context.Context) (string, error) {
	place, refused, err := i.realpath(ctx, ".")
	if err != nil || refused != nil {
		return "", err
	}
	return path.Clean(place), nil
}

// resolve fills in where the paths of a request lead. The refusal is the
// target's word that one of them leads nowhere. Its kernel might think otherwise,
// since a server may follow fewer links, so that nothing must be forwarded.
func (i *Inspector) resolve(ctx context.Context, r *request) (*refusal, error) {
	if r.onOpen || r.pathless {
		return nil, nil
	}
	var refused *refusal
	var err error
	if r.op.Path, r.op.Named, refused, err = i.place(ctx, r.first); err != nil || r.second == nil {
		return refused, err
	}
	var also *refusal
	if r.second.under != nil {
		// What a link says counts from the folder that it is in.
		r.op.NewPath = absolute(path.Dir(r.op.Path), r.second.raw)
		return refused, nil
	}
	r.op.NewPath, r.op.NewNamed, also, err = i.place(ctx, *r.second)
	if refused == nil {
		refused = also
	}
	return refused, err
}

// place tells where one path leads, and its name where that is another one.
func (i *Inspector) place(ctx context.Context, p pathArg) (place, named string, refused *refusal, err error) {
	named = absolute(i.folder, p.raw)
	if strings.HasPrefix(p.raw, "~") && p.text {
		named = p.raw
	}
	if p.text {
		return named, "", nil, nil
	}
	q := questionOf(p.raw, p.follow)
	if q.ask == "" && i.folder != "" {
		place = i.folder
	} else if place, refused, err = i.realpath(ctx, q.ask); err != nil || refused != nil {
		return named, "", refused, err
	}
	if place = q.answered(place); place == named {
		return place, "", nil, nil
	}
	return place, named, nil, nil
}

// realpath asks the server where a path leads, under an id of our own.
func (i *Inspector) realpath(ctx context.Context, name string) (string, *refusal, error) {
	if err := i.table.slot(ctx); err != nil {
		return "", nil, err
	}
	answer := make(chan frame, 1)
	id := i.table.own(pending{expect: expectName, answer: answer})
	if err := i.toServer(finish(appendString(begin(fxpRealpath, id), name))); err != nil {
		return "", nil, err
	}
	select {
	case f := <-answer:
		return readPlace(f)
	case <-i.table.ended:
		return "", nil, errServerEnded
	case <-ctx.Done():
		return "", nil, context.Cause(ctx)
	}
}

// readPlace reads the answer to SSH_FXP_REALPATH, draft §6.11.
func readPlace(f frame) (string, *refusal, error) {
	d := &decoder{b: f.body()}
	if f.kind() == fxpStatus {
		code := d.uint32()
		if d.bad || code == StatusOK {
			return "", nil, fmt.Errorf("the SFTP server's answer to a question for a path: %w", errTruncated)
		}
		return "", &refusal{code, string(d.bytes())}, nil
	}
	count, name := d.uint32(), string(d.bytes())
	if d.bad || count != 1 {
		return "", nil, fmt.Errorf("the SFTP server's answer to a question for a path: %w", errTruncated)
	}
	if !strings.HasPrefix(name, "/") {
		return "", &refusal{StatusFailure, "hoop: the target does not tell where this path leads"}, nil
	}
	return name, nil, nil
}
