package lineage

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"hoop/policy"
)

// attack is one entry of ../../testdata/evasion/evasion.sql; its header explains them.
type attack struct {
	id, expect, role, proof, intent string
	chunks                          []string
}

var header = regexp.MustCompile(`^-- ([EB]\d+) \| (\w+) \| (\w+) \| [\w-]+ \| (.*) \| (.*)$`)

func corpus(t *testing.T) []attack {
	t.Helper()
	text, err := os.ReadFile("../../testdata/evasion/evasion.sql")
	if err != nil {
		t.Fatal(err)
	}
	var all []attack
	var chunk []string
	open := false
	end := func() {
		if open {
			a := &all[len(all)-1]
			a.chunks = append(a.chunks, strings.TrimSpace(strings.Join(chunk, "\n")))
		}
		chunk = nil
	}
	for _, line := range strings.Split(string(text), "\n") {
		if m := header.FindStringSubmatch(line); m != nil {
			end()
			all = append(all, attack{id: m[1], expect: m[2], role: m[3], intent: m[4], proof: m[5]})
			open = true
			continue
		}
		if line == "-- @next" || strings.HasPrefix(line, "-- =====") {
			end()
			open = line == "-- @next"
			continue
		}
		chunk = append(chunk, line)
	}
	end()
	return all
}

// inner gives the query inside a utility statement and what becomes of it. The
// engine has the grammar do this; here a pattern is enough for the corpus.
var inners = []struct {
	pattern *regexp.Regexp
	purpose Purpose
}{
	{regexp.MustCompile(`(?is)^EXPLAIN\s*(?:\([^)]*\)|ANALYZE)?\s*(SELECT.*|DELETE.*)$`), Explain},
	{regexp.MustCompile(`(?is)^COPY\s*\((.*)\)\s+TO\s+STDOUT.*$`), Return},
	{regexp.MustCompile(`(?is)^DECLARE .* FOR (SELECT.*)$`), Return},
	{regexp.MustCompile(`(?is)^PREPARE \w+ AS (.*)$`), Return},
	{regexp.MustCompile(`(?is)^CREATE (?:TEMP )?(?:VIEW|TABLE) \w+ AS (SELECT.*)$`), Keep},
	{regexp.MustCompile(`(?is)^(SELECT .*) INTO TEMP \w+(.*)$`), Keep},
}

var copyTable = regexp.MustCompile(`(?is)^COPY\s+([\w.]+)\s*(?:\(([^)]*)\))?\s+TO\s+STDOUT;?$`)

func query(text string) (string, Purpose, bool) {
	if m := copyTable.FindStringSubmatch(text); m != nil {
		if m[2] == "" {
			m[2] = "*"
		}
		return "SELECT " + m[2] + " FROM ONLY " + m[1], Return, true
	}
	for _, in := range inners {
		if m := in.pattern.FindStringSubmatch(text); m != nil {
			return strings.Join(m[1:], " "), in.purpose, true
		}
	}
	word := strings.ToUpper(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\n' })[0])
	switch strings.Trim(word, "/*PGA4DASH") {
	case "":
		return text, Return, true
	}
	switch word {
	case "SELECT", "WITH", "TABLE", "VALUES", "INSERT", "UPDATE", "DELETE", "MERGE":
		return text, Return, true
	}
	return "", Return, false
}

// split takes a string of statements apart where a semicolon ends one.
func split(text string) []string {
	var parts []string
	if strings.Contains(text, "$") || strings.Contains(text, "--") || strings.Contains(text, "/*") || strings.Contains(text, "'") {
		return []string{text}
	}
	for _, p := range strings.Split(text, ";") {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return parts
}

// TestEvasion runs the corpus, judging each statement by its labels right
// before it runs. What is not a query is left to policy rules, which are not
// asked here: it runs, unless the entry says that it must not.
func TestEvasion(t *testing.T) {
	admin := connect(t, "postgres", server.Superuser)
	stricter, clean := 0, false
	var cat *Catalog
	for _, a := range corpus(t) {
		if !clean {
			for _, sql := range []string{"drop database if exists ev with (force)", "create database ev template shop",
				"grant create, temp on database ev to app_user"} {
				if _, err := admin.conn.Exec(context.Background(), sql).ReadAll(); err != nil {
					t.Fatal(err)
				}
			}
			cat = loadShop(t, "ev")
		}
		r := run(t, a, cat)
		clean = r.readOnly
		switch {
		case a.expect == "allow" && r.failed != "" && failsAlone(t, a):
			t.Logf("the server alone refuses %s %s: %s", a.id, a.intent, r.failed)
		case a.expect == "allow" && (r.strictest != policy.Allow || r.masked || r.failed != ""):
			t.Errorf("%s %s: effect %s, masked %t: %s %s", a.id, a.intent, r.strictest, r.masked, r.reason, r.failed)
		case a.expect == "mask" && r.strictest != policy.Allow:
			stricter++
			t.Logf("stricter: %s %s: %s", a.id, a.intent, r.reason)
		}
		for _, text := range a.chunks {
			if _, _, ok := query(text); !ok {
				r.rules = true
			}
		}
		if a.expect == "deny" && r.strictest != policy.Deny && !r.rules {
			t.Errorf("%s %s: not denied", a.id, a.intent)
		}
		if a.expect != "allow" && !r.rules || a.expect == "mask" {
			for _, proof := range strings.Split(a.proof, " && ") {
				want, ok := strings.CutPrefix(proof, "out:")
				if u, err := strconv.Unquote(`"` + want + `"`); err == nil {
					want = u
				}
				if ok && strings.Contains(r.shown.String(), want) {
					t.Errorf("%s %s: %q is shown:\n%s", a.id, a.intent, want, r.shown.String())
					break
				}
			}
		}
	}
	t.Logf("%d entries that expect mask are denied or held", stricter)
}

// failsAlone reports whether the server refuses an entry that nobody judges:
// clients ask some versions for columns that others have.
func failsAlone(t *testing.T, a attack) bool {
	c := connect(t, "ev", a.role)
	defer c.conn.Close(context.Background())
	for _, text := range a.chunks {
		if _, err := c.conn.Exec(context.Background(), text).ReadAll(); err != nil {
			return true
		}
	}
	return false
}

type result struct {
	strictest policy.Effect
	masked    bool
	readOnly  bool
	rules     bool // something was left to policy rules
	reason    string
	failed    string
	shown     strings.Builder
}

func run(t *testing.T, a attack, cat *Catalog) *result {
	c := connect(t, "ev", a.role)
	r := &result{strictest: policy.Allow, readOnly: true}
	names := map[string]*Facts{}
	for _, chunk := range a.chunks {
		for _, text := range split(chunk) {
			if r.strictest == policy.Deny {
				break
			}
			cat = step(t, cat, c, r, a, text, names)
		}
	}
	_ = c.conn.Close(context.Background())
	return r
}

// harmless statements leave the database as it was.
var harmless = regexp.MustCompile(`(?is)^(SELECT|TABLE|SHOW|SET|BEGIN|DECLARE|FETCH|PREPARE|EXPLAIN SELECT|COPY \(SELECT|COPY [^(]*TO STDOUT|WITH (RECURSIVE )?\w+(\([^)]*\))? AS \(SELECT)`)

var named = regexp.MustCompile(`(?is)^(?:PREPARE|DECLARE|EXECUTE|FETCH(?: NEXT FROM| ALL FROM| \d+ FROM)?)\s+(\w+)`)

func step(t *testing.T, cat *Catalog, c *client, r *result, a attack, text string, names map[string]*Facts) *Catalog {
	ctx := context.Background()
	var f *Facts
	q, purpose, ok := query(text)
	if ok {
		tree, err := c.parse(q)
		if err != nil {
			r.failed += message(err)
			return cat
		}
		if f, err = cat.Analyse(tree, purpose); err != nil {
			t.Errorf("%s: %v\n%s", a.id, err, tree)
			return cat
		}
		if len(f.Unknown) > 0 {
			if cat, err = Load(ctx, c, shopLabels, nil); err != nil {
				t.Fatal(err)
			}
			f, _ = cat.Analyse(tree, purpose)
		}
	}
	name := named.FindStringSubmatch(text)
	if f == nil && name != nil {
		f = names[name[1]]
	}
	var v Verdict
	if f != nil {
		if v = f.Judge(Rules{}); v.Effect < r.strictest {
			r.strictest, r.reason = v.Effect, v.Reason
		}
		if v.Effect == policy.Deny {
			return cat
		}
	} else if a.expect == "deny" {
		r.rules = true
		return cat
	}
	r.readOnly = r.readOnly && harmless.MatchString(text)
	results, err := c.conn.Exec(ctx, text).ReadAll()
	if err != nil && (f == nil || !f.Touches) {
		r.failed += message(err)
		r.shown.WriteString(message(err))
	}
	if err == nil && name != nil && f != nil {
		names[name[1]] = f
	}
	opaque := f == nil && strings.HasPrefix(text, "CALL")
	for _, res := range results {
		for _, row := range res.Rows {
			for i, value := range row {
				if opaque || f != nil && (i >= len(v.Columns) || len(v.Columns[i].Labels) > 0) {
					r.masked = true
					continue
				}
				r.shown.Write(value)
				r.shown.WriteByte('\t')
			}
			r.shown.WriteByte('\n')
		}
	}
	return cat
}
