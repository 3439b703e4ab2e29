package approval

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

const (
	approvalBucket = "approvals"
	grantBucket    = "grants"
)

func (d *Desk) save(ctx context.Context, a *Approval) error {
	value, err := json.Marshal(a)
	if err != nil {
		return errorf("encode approval", a.ID, err)
	}
	// A client that is gone must not keep the end of its approval from the store.
	if err := d.state.Put(context.WithoutCancel(ctx), approvalBucket, a.ID, value, a.Expires.Add(keep)); err != nil {
		return errorf("keep approval", a.ID, err)
	}
	return nil
}

// stored gives the approvals in the store that fit, the newest first.
func (d *Desk) stored(ctx context.Context, fits func(*Approval) bool) ([]Approval, error) {
	var out []Approval
	err := d.state.ForEach(ctx, approvalBucket, func(id string, value []byte) error {
		var a Approval
		if err := json.Unmarshal(value, &a); err != nil {
			return errorf("read approval", id, err)
		}
		if fits(&a) {
			out = append(out, a)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Approval) int { return b.Created.Compare(a.Created) })
	return out, err
}

// Get gives an approval by its ID, or by the beginning of the ID of a pending
// one where no other begins so.
func (d *Desk) Get(ctx context.Context, id string) (*Approval, error) {
	if p := d.byPrefix(id); p != nil {
		a := p.snapshot()
		return &a, nil
	}
	value, err := d.state.Get(ctx, approvalBucket, id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	var a Approval
	if err == nil {
		err = json.Unmarshal(value, &a)
	}
	if err != nil {
		return nil, errorf("read approval", id, err)
	}
	return &a, nil
}

// minPrefix is how much of an ID must be given, in characters.
const minPrefix = 4

func (d *Desk) byPrefix(prefix string) *pending {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.pending[prefix]; p != nil {
		return p
	}
	var found *pending
	for id, p := range d.pending {
		if len(prefix) < minPrefix || !strings.HasPrefix(id, prefix) {
			continue
		}
		if found != nil {
			return nil
		}
		found = p
	}
	return found
}

// List gives approvals in a state, or all where it is empty: the newest first.
func (d *Desk) List(ctx context.Context, state string) ([]Approval, error) {
	if state == Pending {
		return d.waiting(), nil
	}
	return d.stored(ctx, func(a *Approval) bool { return state == "" || a.State == state })
}

func (d *Desk) waiting() []Approval {
	d.mu.Lock()
	all := make([]*pending, 0, len(d.pending))
	for _, p := range d.pending {
		all = append(all, p)
	}
	d.mu.Unlock()
	out := make([]Approval, 0, len(all))
	for _, p := range all {
		if a := p.snapshot(); a.State == Pending {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b Approval) int { return b.Created.Compare(a.Created) })
	return out
}

// History is what a requester, and a text, were answered before.
type History struct {
	Asked, Approved, Denied int // by this requester, as long as approvals are kept
	SameText                int // approvals of the same text, by anybody
}

// History looks back from one approval.
func (d *Desk) History(ctx context.Context, a *Approval) (History, error) {
	var h History
	past, err := d.stored(ctx, func(b *Approval) bool { return b.ID != a.ID })
	for i := range past {
		b := &past[i]
		if b.Principal.ID == a.Principal.ID {
			h.Asked++
			switch b.State {
			case Approved:
				h.Approved++
			case Denied:
				h.Denied++
			}
		}
		if b.Text == a.Text && b.Verb == a.Verb && b.State == Approved {
			h.SameText++
		}
	}
	return h, err
}
