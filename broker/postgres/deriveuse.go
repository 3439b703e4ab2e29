package postgres

import (
	"context"
	"slices"

	"hoop/policy/lineage"
	"hoop/policy/sql"
)

// deriveExecute is for EXECUTE. What it passes may call functions that read
// what is labelled; the statement that was prepared knows nothing of that, so
// it is refused.
func (c *requests) deriveExecute(ctx context.Context, st *sql.Statement) (*derivation, error) {
	query, sure := st.Arguments()
	if !sure {
		return nil, &problem{code: "42501", message: "denied: what EXECUTE passes cannot be told apart"}
	}
	if query != "" {
		d, err := c.deriveQuery(ctx, query, nil, lineage.Return)
		if err != nil {
			return nil, err
		}
		if d.touches() || slices.ContainsFunc(d.columns(lineage.Rules{}, d.of[0].Columns()), func(c lineage.Column) bool { return len(c.Labels) > 0 }) {
			return nil, &problem{code: "42501", message: "denied: EXECUTE would pass labelled values, or run code that may read them",
				hint: "run the statement itself, with the expression in its place"}
		}
	}
	return c.named(st, func(n *names) *derivation { return n.derivedSQL[st.Name] })
}

// deriveCopyIn is for COPY FROM: it fills in defaults and fires triggers as an
// INSERT does, and its condition may call functions.
func (c *requests) deriveCopyIn(ctx context.Context, st *sql.Statement) (*derivation, error) {
	filter, sure := st.Filter()
	if !sure {
		return nil, &problem{code: "42501", message: "denied: the condition of COPY cannot be told apart"}
	}
	d, err := c.deriveQuery(ctx, "INSERT INTO "+st.Copy.Table+" DEFAULT VALUES", nil, lineage.Return)
	if err != nil {
		return nil, err
	}
	out := &derivation{silent: true, of: d.of}
	if filter == "" {
		return out, nil
	}
	if d, err = c.deriveQuery(ctx, filter, nil, lineage.Return); err != nil {
		return nil, err
	}
	out.of = slices.Concat(out.of, d.of)
	return out, nil
}
