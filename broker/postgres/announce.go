package postgres

import (
	"hoop/policy/sql"
)

// maxAnnounced bounds the texts that a session remembers to have announced,
// in bytes.
const maxAnnounced = 16 << 10

// announced are texts whose event is written: the same text again tells nothing
// new until it runs, which has an event each time.
type announced struct {
	policy string // its digest
	texts  map[string]struct{}
	size   int
}

// announce records what the target is about to parse, before it gets it:
// nothing of it runs yet, but the target reads it. A text that policy refuses
// does not get so far.
func (c *requests) announce(st *sql.Statement) error {
	a := &c.announced
	if digest := c.session.PolicyDigest(); a.policy != digest {
		*a = announced{policy: digest}
	}
	if _, ok := a.texts[st.Text]; ok {
		return nil
	}
	c.prepareAction(st, nil, nil)
	if err := c.session.Analyse(&c.action); err != nil {
		return err
	}
	if len(st.Text) > maxAnnounced {
		return nil
	}
	if a.size += len(st.Text); a.texts == nil || a.size > maxAnnounced {
		a.texts, a.size = map[string]struct{}{}, len(st.Text)
	}
	a.texts[st.Text] = struct{}{}
	return nil
}
