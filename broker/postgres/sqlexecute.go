package postgres

import (
	"slices"

	"hoop/policy"
	"hoop/policy/sql"
)

// resolve gives the statements of one text with the facts that an EXECUTE among
// them has by what it runs: a PREPARE that the target has accepted, or one
// before it in the same text, whose failure would end the text.
func (c *requests) resolve(parts []sql.Statement) ([]sql.Statement, error) {
	if !slices.ContainsFunc(parts, func(st sql.Statement) bool { return st.Facts.Kind == "execute" }) {
		return parts, nil
	}
	if err := c.drain(); err != nil {
		return nil, err
	}
	known := map[string]*policy.SQL{}
	out := slices.Clone(parts)
	for i := range out {
		st := &out[i]
		switch st.Facts.Kind {
		case "prepare":
			known[st.Name] = st.Prepared
		case "execute":
			facts := known[st.Name]
			if facts == nil {
				c.queue.locked(func() { facts = c.queue.names.inSQL[st.Name] })
			}
			if facts != nil {
				st.Facts = executing(facts, st.Facts)
			}
		}
	}
	return out, nil
}

// executing gives the facts of an EXECUTE that runs a statement with facts.
func executing(facts, execute *policy.SQL) *policy.SQL {
	f := *facts
	f.Kind, f.Multi = execute.Kind, execute.Multi
	return &f
}
