package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Inspector watches one SFTP conversation. Requests and Replies run side by
// side, each in a goroutine of its caller's; Close comes after both.
type Inspector struct {
	decide Decide
	server io.Writer // only the goroutine of Requests writes to it
	table  *table

	mu     sync.Mutex // held for whole frames
	client io.Writer

	versioned chan struct{} // closed once the server told its version
	folder    string        // in which the server works, "" where it did not say
	openEnds  sync.Once
}

// New makes an inspector between the client's and the server's end. Both writers
// must take everything they are given or fail, as a net.Conn does.
func New(client, server io.Writer, decide Decide) *Inspector {
	return &Inspector{decide: decide, client: client, server: server, table: newTable(), versioned: make(chan struct{})}
}

// Requests carries what the client sends, from src, to the server. It returns
// nil when src ends between two packets: the caller then ends the server's
// input. On any other error the conversation cannot go on and the caller closes
// both ends. While an operation waits for its decision nothing behind it is read,
// so ctx has to end when the client is gone.
func (i *Inspector) Requests(ctx context.Context, src io.Reader) error {
	in := newStream(src, "client")
	if err := i.start(ctx, in); err != nil {
		return ended(err)
	}
	for {
		f, err := in.peek()
		if err != nil {
			return err
		}
		if f == nil {
			if err := i.toServer(in.take()); err != nil {
				return err
			}
			if err := in.fill(); err != nil {
				return ended(err)
			}
			continue
		}
		if err := i.request(ctx, in, f); err != nil {
			return ended(err)
		}
	}
}

// ended makes of the regular end of a stream no error.
func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// start carries the client's first packet and waits for the server's. The
// version that is asked for is the one that is understood, whatever the client
// offers (draft §4).
func (i *Inspector) start(ctx context.Context, in *stream) error {
	f, err := in.first()
	if err != nil {
		return err
	}
	if f.kind() != fxpInit || f.id() < version {
		return errors.New("the SFTP client does not begin with SSH_FXP_INIT for version 3 or later")
	}
	in.drop(f)
	if err := i.toServer(finish(begin(fxpInit, version))); err != nil {
		return err
	}
	select {
	case <-i.versioned:
	case <-i.table.ended:
		return errServerEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	i.folder, err = i.workFolder(ctx)
	return err
}

// first waits for a whole frame.
func (s *stream) first() (frame, error) {
	for {
		if f, err := s.peek(); f != nil || err != nil {
			return f, err
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// request passes one packet of the client on, or answers it.
func (i *Inspector) request(ctx context.Context, in *stream, f frame) error {
	if i.table.live(f.id()) {
		return fmt.Errorf("the SFTP client used the id %d of a request that is under way", f.id())
	}
	p, refusal := i.passing(f)
	if refusal == nil && p == nil {
		// It has to be decided on: what came before it goes first.
		if err := i.toServer(in.take()); err != nil {
			return err
		}
		defer in.drop(f)
		return i.judge(ctx, f)
	}
	if refusal != nil {
		if err := i.toServer(in.take()); err != nil {
			return err
		}
		defer in.drop(f)
		return i.refuse(f.id(), refusal)
	}
	if err := i.room(ctx, in); err != nil {
		return err
	}
	if err := i.table.add(f.id(), *p); err != nil {
		return err
	}
	in.pass(f)
	return nil
}

// room waits for a slot. What passed already must not wait with it: its answers
// make the room.
func (i *Inspector) room(ctx context.Context, in *stream) error {
	if len(i.table.slots) == cap(i.table.slots) {
		if err := i.toServer(in.take()); err != nil {
			return err
		}
	}
	return i.table.slot(ctx)
}

func (i *Inspector) toServer(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if _, err := i.server.Write(b); err != nil {
		return fmt.Errorf("write to the SFTP server: %w", err)
	}
	return nil
}

func (i *Inspector) toClient(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, err := i.client.Write(b); err != nil {
		return fmt.Errorf("write to the SFTP client: %w", err)
	}
	return nil
}

// refuse answers a request in the server's place.
func (i *Inspector) refuse(id uint32, r *refusal) error {
	return i.toClient(statusFrame(id, r.code, r.message))
}

// refusal is an answer that is ours.
type refusal struct {
	code    uint32
	message string
}

// Close ends what is under way and open as lost. Requests and Replies must have
// returned.
func (i *Inspector) Close() { i.table.lose() }
