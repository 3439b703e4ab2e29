package recorder

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// Proof shows that one event stands in a log that was signed, without the rest
// of the log.
type Proof struct {
	Checkpoint string           `json:"checkpoint"` // the signed note
	Index      uint64           `json:"index"`
	Salt       []byte           `json:"salt"`
	Event      string           `json:"event"` // its bytes exactly
	Path       tlog.RecordProof `json:"path"`
}

// Prove makes the proof of an event that the log's last checkpoint covers.
func Prove(dir string, index uint64) (*Proof, error) {
	signed, err := LastCheckpoint(dir)
	if err != nil {
		return nil, err
	}
	key, err := PublicKey(dir)
	if err != nil {
		return nil, err
	}
	cp, err := OpenCheckpoint(signed, key)
	if err != nil {
		return nil, err
	}
	if index >= cp.Size {
		return nil, fmt.Errorf("event %d is not signed yet: the last checkpoint covers %d events", index, cp.Size)
	}
	p := &Proof{Checkpoint: string(signed), Index: index}
	if err := p.load(dir); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, "hashes"))
	if err != nil {
		return nil, fmt.Errorf("open the stored hashes: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	if p.Path, err = tlog.ProveRecord(int64(cp.Size), int64(index), hashFile{f}); err != nil {
		return nil, fmt.Errorf("prove event %d: %w", index, err)
	}
	if _, err := CheckProof(p, key); err != nil {
		return nil, fmt.Errorf("the log cannot prove event %d, verify it: %w", index, err)
	}
	return p, nil
}

// load copies the event out of its segment.
func (p *Proof) load(dir string) error {
	c := cursor{dir: dir, next: p.Index}
	err := c.advance(func(f *frame, index uint64) error {
		if f.erased {
			return fmt.Errorf("the body of event %d was erased", index)
		}
		p.Salt, p.Event = bytes.Clone(f.salt()), string(f.payload)
		return ErrStop
	})
	if errors.Is(err, ErrStop) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("event %d is not in the log", p.Index)
	}
	return err
}

// CheckProof checks a proof against the log's public key, with nothing else at
// hand, and returns the event that it proves.
func CheckProof(p *Proof, key string) (*Event, error) {
	cp, err := OpenCheckpoint([]byte(p.Checkpoint), key)
	if err != nil {
		return nil, err
	}
	if p.Index >= cp.Size || len(p.Salt) != saltSize {
		return nil, errors.New("the proof does not fit its checkpoint")
	}
	raw := make([]byte, frameHeader, frameHeader+len(p.Event))
	copy(raw[8:], p.Salt)
	f := frame{raw: append(raw, p.Event...)}
	leaf := leafHash(f.commitment())
	if err := tlog.CheckRecord(p.Path, int64(cp.Size), cp.Root, int64(p.Index), leaf); err != nil {
		return nil, fmt.Errorf("the event is not in the signed log: %w", err)
	}
	ev, err := decode([]byte(p.Event))
	if err != nil {
		return nil, err
	}
	if ev.Index != p.Index {
		return nil, fmt.Errorf("the proof is of event %d and the event says %d", p.Index, ev.Index)
	}
	return ev, nil
}
