package postgres

import (
	"slices"

	"hoop/policy"
	"hoop/policy/sql"
)

// statement is a prepared statement as its Parse described it.
type statement struct {
	text  string
	parts []sql.Statement // one, or none for an empty query
	types []uint32        // of its parameters, as far as the client gave them
	told  []uint32        // of its parameters, by the target; the queue's lock guards it
	// answered is set once the target has agreed; trees came with that, again
	// are others that came with a Bind. The queue's lock guards them.
	answered bool
	trees    []string
	again    []string
	// derived is what they say, by one snapshot of the catalog; requests'.
	derived   *derivation
	derivedBy *snapshot
}

// portal is a statement with its parameters bound. bind is the body of the
// Bind message.
type portal struct {
	of     *statement // nil: not prepared by a Parse that is known
	bind   []byte
	ticket *ticket // of the Execute under way or suspended
	// suspended is true between a PortalSuspended and the next Execute.
	suspended bool
}

// binding is a change to one name. It holds from the moment it is sent for
// messages of the same segment: if it fails, the target skips those. Beyond
// that it holds once the target has agreed.
type binding struct {
	portal    bool
	name      string
	statement *statement // nil forgets the name
	to        *portal
	segment   uint64
}

// names are the prepared statements and portals of a session, as the target
// has them. A name whose text is not known for sure is not there, so that no
// verdict stands for another's text.
type names struct {
	statements map[string]*statement
	portals    map[string]*portal
	pending    []*binding // sent and not answered, the oldest first
	held       int        // bytes of statements
	bound      int        // bytes of portals
	// inSQL holds what EXECUTE of a name runs, for those that PREPARE made and
	// the target has accepted; claimed, the last PREPARE sent for a name, which
	// alone may speak for it.
	inSQL map[string]*policy.SQL
	// derivedSQL and cursors tell what the rows of EXECUTE and FETCH derive from.
	derivedSQL map[string]*derivation
	cursors    map[string]*derivation
	claimed    map[string]*sql.Statement
}

// maxPrepared bounds the prepared statements of a session and maxBound its
// portals, each in bytes. A name alone costs about nameCost.
const (
	maxPrepared = 64 << 20
	maxBound    = maxRequest
	nameCost    = 256
)

func (n *names) begin(b *binding) { n.pending = append(n.pending, b) }

// end settles a change that the target answered or skipped.
func (n *names) end(b *binding, agreed bool) {
	for i, p := range n.pending {
		if p == b {
			n.pending = append(n.pending[:i], n.pending[i+1:]...)
			break
		}
	}
	if !agreed {
		return
	}
	if b.portal {
		n.setPortal(b.name, b.to)
		return
	}
	n.setStatement(b.name, b.statement)
}

func (n *names) setStatement(name string, s *statement) {
	if old := n.statements[name]; old != nil {
		n.held -= nameCost + len(old.text)
		delete(n.statements, name)
	}
	if s == nil {
		return
	}
	if n.statements == nil {
		n.statements = map[string]*statement{}
	}
	n.statements[name] = s
	n.held += nameCost + len(s.text)
}

func (n *names) setPortal(name string, p *portal) {
	if old := n.portals[name]; old != nil {
		n.bound -= nameCost + len(old.bind)
		delete(n.portals, name)
	}
	if p == nil {
		return
	}
	n.bound += nameCost + len(p.bind)
	if n.portals == nil {
		n.portals = map[string]*portal{}
	}
	n.portals[name] = p
}

// isPending reports whether a statement's Parse is not answered yet.
func (n *names) isPending(s *statement) bool {
	return slices.ContainsFunc(n.pending, func(b *binding) bool { return b.statement == s })
}

// newest is the last change under way for a name, nil where there is none.
func (n *names) newest(isPortal bool, name string) *binding {
	for i := len(n.pending) - 1; i >= 0; i-- {
		if p := n.pending[i]; p.portal == isPortal && p.name == name {
			return p
		}
	}
	return nil
}

// settled reports whether a name means one thing for a message of the segment.
func (n *names) settled(isPortal bool, name string, segment uint64) bool {
	b := n.newest(isPortal, name)
	return b == nil || b.segment == segment
}

func (n *names) statement(name string) *statement {
	if b := n.newest(false, name); b != nil {
		return b.statement
	}
	return n.statements[name]
}

func (n *names) portal(name string) *portal {
	if b := n.newest(true, name); b != nil {
		return b.to
	}
	return n.portals[name]
}

// forget drops a name that SQL is about to give another meaning (PREPARE and
// Parse share their names, as do DECLARE and Bind); "" drops all that have one.
func (n *names) forget(isPortal bool, name string) {
	for _, p := range n.pending {
		if p.portal == isPortal && p.name != "" && (name == "" || p.name == name) {
			p.statement, p.to = nil, nil
		}
	}
	if isPortal {
		forget(n.portals, name, func(k string) { n.setPortal(k, nil) })
		return
	}
	forget(n.statements, name, func(k string) { n.setStatement(k, nil) })
}

func forget[T any](m map[string]T, name string, drop func(string)) {
	if name != "" {
		drop(name)
		return
	}
	for k := range m {
		if k != "" {
			drop(k)
		}
	}
}

// claim notes, before it is sent, a PREPARE of a name in SQL; nil is a Parse of
// it.
func (n *names) claim(name string, st *sql.Statement) {
	delete(n.inSQL, name)
	delete(n.claimed, name)
	if st == nil || len(n.claimed) >= maxPrepared/nameCost {
		return
	}
	if n.claimed == nil {
		n.claimed, n.inSQL = map[string]*sql.Statement{}, map[string]*policy.SQL{}
	}
	n.claimed[name] = st
}

// prepared notes that the target has accepted a PREPARE.
func (n *names) prepared(st *sql.Statement) {
	if n.claimed[st.Name] == st {
		n.inSQL[st.Name] = st.Prepared
	}
}

// stands notes what a name of PREPARE stands for, once the target has accepted
// it.
func (n *names) stands(name string, d *derivation) {
	if n.derivedSQL == nil {
		n.derivedSQL = map[string]*derivation{}
	}
	n.derivedSQL[name] = d
}

// declared notes a cursor that the target has made. One of the same name may
// come back when a savepoint is rolled back to: all that a name has stood for
// counts.
func (n *names) declared(name string, d *derivation) {
	if n.cursors == nil {
		n.cursors = map[string]*derivation{}
	}
	const most = 8
	old := n.cursors[name]
	switch {
	case old == nil && len(n.cursors) < maxPrepared/nameCost:
		n.cursors[name] = d
	case old == nil:
	case len(old.of) >= most:
		n.cursors[name] = opaqueRows()
	default:
		n.cursors[name] = &derivation{of: slices.Concat(old.of, d.of), hidden: old.hidden || d.hidden}
	}
}
