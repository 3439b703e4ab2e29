package sftp

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// Replies carries what the server sends, from src, to the client. It returns nil
// when src ends between two packets; on any other error the caller closes both
// ends.
func (i *Inspector) Replies(ctx context.Context, src io.Reader) error {
	defer i.openEnds.Do(func() { close(i.table.ended) })
	out := newStream(src, "server")
	if err := i.version(out); err != nil {
		return ended(err)
	}
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		f, err := out.peek()
		if err != nil {
			return err
		}
		if f != nil {
			if err := i.reply(out, f); err != nil {
				return err
			}
			continue
		}
		if err := i.toClient(out.take()); err != nil {
			return err
		}
		if err := out.fill(); err != nil {
			return ended(err)
		}
	}
}

// version carries the server's first packet, without the extensions that are not
// understood.
func (i *Inspector) version(out *stream) error {
	f, err := out.first()
	if err != nil {
		return err
	}
	if f.kind() != fxpVersion {
		return fmt.Errorf("the SFTP server begins with packet %d instead of its version", f.kind())
	}
	mine, err := trimVersion(f)
	if err != nil {
		return err
	}
	out.drop(f)
	if err := i.toClient(mine); err != nil {
		return err
	}
	close(i.versioned)
	return nil
}

// reply notes what an answer means and lets it pass, or keeps it where the
// question was ours.
func (i *Inspector) reply(out *stream, f frame) error {
	p, ok := i.table.answered(f.id())
	if !ok || !p.expect.allows(f.kind()) {
		return fmt.Errorf("the SFTP server sent packet %d with the id %d, for which nobody asked", f.kind(), f.id())
	}
	if p.answer != nil {
		if err := i.toClient(out.take()); err != nil {
			return err
		}
		p.answer <- bytes.Clone(f)
		out.drop(f)
		return nil
	}
	if err := i.note(p, f); err != nil {
		return err
	}
	out.pass(f)
	return nil
}

// note keeps what an answer tells: files that are open, bytes, how it ended.
func (i *Inspector) note(p pending, f frame) error {
	d := &decoder{b: f.body()}
	code := uint32(StatusOK)
	if f.kind() == fxpStatus {
		if code = d.uint32(); d.bad {
			return fmt.Errorf("the SFTP server's status: %w", errTruncated)
		}
	}
	var err error
	if p.handle != nil {
		err = p.use(f, d, code)
		i.table.release(p.handle, p.kind == fxpClose, code)
	}
	if p.op == nil || err != nil {
		return err
	}
	if f.kind() == fxpHandle {
		return i.opened(p.op, d)
	}
	p.op.end(code, false)
	return nil
}

// opened keeps the handle of a file until it is closed.
func (i *Inspector) opened(op *decided, d *decoder) error {
	h := &handle{op: op.op, access: op.open, finish: op.finish, started: op.started}
	name := d.bytes()
	err := d.end()
	if err == nil {
		err = i.table.opened(name, h)
	}
	if err != nil {
		op.end(StatusOK, true)
		return fmt.Errorf("the SFTP server's handle: %w", err)
	}
	return nil
}

// use counts what an answer transfers for an open file.
func (p *pending) use(f frame, d *decoder, code uint32) error {
	switch p.kind {
	case fxpRead:
		p.handle.fail(code)
		if f.kind() != fxpData {
			return nil
		}
		data := d.bytes()
		if err := d.end(); err != nil || uint32(len(data)) > p.size {
			return fmt.Errorf("the SFTP server's data: more than was asked for, or %w", errTruncated)
		}
		p.handle.read.add(p.offset, data)
	case fxpWrite:
		p.handle.fail(code)
		if code == StatusOK {
			p.handle.confirmed.Add(int64(p.size))
		}
	case fxpReaddir:
		if f.kind() == fxpName {
			p.handle.entries += int64(d.uint32())
		}
	}
	return nil
}
