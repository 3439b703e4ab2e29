package postgres

import (
	"bufio"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hoop/broker"
	"hoop/broker/approval"
	"hoop/recorder"
)

var _ broker.Previewer = (*requests)(nil)

// Limits of a preview.
const (
	previewTime = 2 * time.Second // of each of its queries
	maxPlan     = 8 << 10         // bytes
	// maxPreviews is how many of all sessions are made at once: many who wait
	// must not take the target's connections.
	maxPreviews = 8
)

// Preview plans a statement, and counts what an UPDATE or DELETE would touch,
// on a connection of the broker's own: read-only, within limits, and nothing
// runs that might do more than read. What the client holds back in its own
// transaction it does not see.
func (c *requests) Preview(ctx context.Context, a *broker.Action) *approval.Preview {
	if a.SQL == nil || a.SQL.Unknown || !slices.Contains([]string{"select", "insert", "update", "delete", "merge"}, a.SQL.Kind) {
		return nil
	}
	if slices.Contains(a.SQL.Effects, "code") {
		return &approval.Preview{Problem: "it calls functions that are not PostgreSQL's own"}
	}
	select {
	case c.e.previews <- struct{}{}:
		defer func() { <-c.e.previews }()
	case <-ctx.Done():
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 4*previewTime)
	defer cancel()
	up, err := c.connect(ctx)
	if err != nil {
		return &approval.Preview{Problem: "no connection of the broker's own to plan it on"}
	}
	defer up.close()
	defer context.AfterFunc(ctx, func() { _ = up.conn.SetDeadline(longAgo) })()
	if slices.ContainsFunc(a.Params, undisclosed) {
		return &approval.Preview{Problem: "its parameters are in a binary form that hoop does not know"}
	}
	p := previewer{lister: lister{up: up, r: bufio.NewReaderSize(up.conn, 4096)}, params: a.Params}
	p.begin(c.searchPath())
	v := p.look(a.Text, c.asked.Count())
	if ctx.Err() != nil {
		return nil
	}
	return v
}

// undisclosed reports whether a value is shown in hexadecimal for want of its type.
func undisclosed(p recorder.Param) bool { return p.OID != oidBytea && strings.HasPrefix(p.Value, `\x`) }

// searchPath is where names lead in the client's session, as it was told by
// Meaning.
func (c *requests) searchPath() []string {
	for _, s := range c.meaning.Settings {
		if path, ok := strings.CutPrefix(s, "search_path="); ok {
			return strings.Split(path, ",")
		}
	}
	return nil
}

// previewer runs the queries of one preview.
type previewer struct {
	lister
	params []recorder.Param
}

func (p *previewer) run(format string, args ...any) {
	p.each(fmt.Sprintf(format, args...), 0, func([]string) {})
}

func (p *previewer) begin(path []string) {
	quoted := make([]string, 0, len(path))
	for _, schema := range path {
		if !strings.HasPrefix(schema, "pg_temp") {
			quoted = append(quoted, `"`+strings.ReplaceAll(schema, `"`, `""`)+`"`)
		}
	}
	if len(quoted) > 0 {
		p.run("set search_path to %s", strings.Join(quoted, ", "))
	}
	p.run("set statement_timeout to %d", previewTime.Milliseconds())
	p.run("begin transaction read only")
}

func (p *previewer) look(text, count string) *approval.Preview {
	v := &approval.Preview{}
	var plan []string
	p.rows("EXPLAIN", "plan", text, func(row string) { plan = append(plan, row) })
	v.Plan = strings.Join(plan, "\n")
	if len(v.Plan) > maxPlan {
		v.Plan = v.Plan[:maxPlan] + "…"
	}
	v.EstimatedRows = estimate(plan)
	if count != "" && p.err == nil {
		p.rows("", "count", count, func(row string) {
			if n, err := strconv.ParseInt(row, 10, 64); err == nil {
				v.ExactRows = &n
			}
		})
	}
	if p.err != nil {
		v.Problem = strings.TrimPrefix(p.err.Error(), "catalog query: ")
	}
	return v
}

// rows runs a query of one column, with the values that the client bound.
func (p *previewer) rows(prefix, name, text string, f func(row string)) {
	each := func(query string) { p.each(query, 1, func(fields []string) { f(fields[0]) }) }
	if len(p.params) == 0 {
		each(prefix + " " + text)
		return
	}
	types, values := make([]string, len(p.params)), make([]string, len(p.params))
	for i, v := range p.params {
		types[i] = "text" // one that is not used must have some type
		if used(text, i+1) {
			types[i] = "unknown"
		}
		if values[i] = literal(v.Value); v.Null {
			values[i] = "NULL"
		}
	}
	p.run("prepare %s (%s) as %s", name, strings.Join(types, ", "), text)
	each(fmt.Sprintf("%s execute %s (%s)", prefix, name, strings.Join(values, ", ")))
}

func used(text string, n int) bool {
	return regexp.MustCompile(`\$` + strconv.Itoa(n) + `\b`).MatchString(text)
}

var planned = regexp.MustCompile(`rows=(\d+)`)

// estimate is what the planner expects: of the statement, or, where that
// returns nothing, of what it would change.
func estimate(plan []string) float64 {
	for i := 0; i < min(len(plan), 3); i++ {
		if m := planned.FindStringSubmatch(plan[i]); m != nil && m[1] != "0" {
			n, _ := strconv.ParseFloat(m[1], 64)
			return n
		}
	}
	return 0
}
