package lineage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// source is a function's text, until it is known what it mentions.
type source struct {
	oid  uint32
	text string
}

// functions reads every function that initdb did not make, and those of the
// server that need care.
func (l *loader) functions() {
	l.each(functionsQuery, func(f []string) {
		fn := &function{
			name: f[1] + "." + f[2], language: f[3], kind: 'f', extension: f[6],
			volatile: f[4] == "v", changes: f[4] != "i", set: f[7] == "t", pinned: f[8] == "t",
		}
		if f[5] != "" {
			fn.kind = f[5][0]
		}
		oid := l.oid(f[0])
		fn.trusted = l.isTrusted(fn.name, f[9])
		l.careful(fn, f[2])
		l.c.functions[oid] = fn
		if oid >= firstUserOID && fn.language != "c" && fn.language != "internal" {
			l.sources = append(l.sources, source{oid, f[9]})
		}
	})
	l.each(`select aggfnoid::pg_catalog.oid, aggtransfn::pg_catalog.oid, aggfinalfn::pg_catalog.oid, aggcombinefn::pg_catalog.oid,
aggserialfn::pg_catalog.oid, aggdeserialfn::pg_catalog.oid, aggmtransfn::pg_catalog.oid, aggminvtransfn::pg_catalog.oid, aggmfinalfn::pg_catalog.oid
from pg_catalog.pg_aggregate where aggfnoid::pg_catalog.oid >= 16384::pg_catalog.oid`, func(f []string) {
		fn := l.c.functions[l.oid(f[0])]
		if fn == nil {
			return
		}
		for _, part := range f[1:] {
			if oid := l.oid(part); oid != 0 && !slices.Contains(fn.parts, oid) {
				fn.parts = append(fn.parts, oid)
			}
		}
	})
}

// careful notes what a function is known for. Names count whatever their
// schema: extensions may be anywhere.
func (l *loader) careful(fn *function, name string) {
	system := strings.HasPrefix(fn.name, "pg_catalog.") || fn.language == "c"
	fn.structural = system && listed(structural, name)
	if fn.language == "c" || fn.language == "internal" || fn.language == "sql" && system {
		fn.sink = listed(sinks, name)
		for i := range dangers {
			if listed(dangers[i].names, name) {
				fn.danger = dangers[i].why
			}
		}
	}
}

var functionsQuery = `select p.oid, n.nspname, p.proname, l.lanname, p.provolatile, p.prokind, e.extname, p.proretset,
 exists(select from pg_catalog.unnest(p.proconfig) s where s like 'search_path=%'), p.prosrc
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
join pg_catalog.pg_language l on l.oid = p.prolang
left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid and d.deptype = 'e'
left join pg_catalog.pg_extension e on e.oid = d.refobjid
where p.oid >= 16384 or p.proname ~ ` + literal(carefulPattern())

// carefulPattern matches the names on every list.
func carefulPattern() string {
	var alternatives []string
	lists := [][]string{sinks, structural}
	for _, d := range dangers {
		lists = append(lists, d.names)
	}
	for _, names := range lists {
		for _, name := range names {
			prefix, starred := strings.CutSuffix(name, "*")
			prefix = strings.ReplaceAll(prefix, "*", ".*")
			if !starred {
				prefix += "$"
			}
			alternatives = append(alternatives, prefix)
		}
	}
	return "^(" + strings.Join(alternatives, "|") + ")"
}

func (l *loader) isTrusted(name, body string) bool {
	for i := range l.trusted {
		if l.trusted[i].Name == name {
			sum := sha256.Sum256([]byte(body))
			if strings.EqualFold(l.trusted[i].SHA256, hex.EncodeToString(sum[:])) {
				return true
			}
		}
	}
	return false
}

// bodies reads SQL functions as PostgreSQL analyses them: the validator that
// CREATE FUNCTION calls parses a body, with the types and names of its
// parameters, and does not run it. What it refuses stays opaque.
func (l *loader) bodies() {
	for i := range l.sources {
		fn := l.c.functions[l.sources[i].oid]
		if fn.language != "sql" || fn.trusted || l.err != nil {
			continue
		}
		if fn.pinned { // its names resolve by a path that is not this session's
			continue
		}
		trees, err := l.q.Trees(l.ctx, fmt.Sprintf("select pg_catalog.fmgr_sql_validator(%d::pg_catalog.oid)", l.sources[i].oid))
		if err != nil || len(trees) < 2 {
			if l.ctx.Err() != nil {
				l.fail(l.ctx.Err())
			}
			continue
		}
		fn.readable = true
		for _, text := range trees[1:] {
			t, err := ReadTree(text)
			if err != nil {
				fn.body, fn.readable = nil, false
				break
			}
			fn.body = append(fn.body, t)
		}
	}
}

// domains notes which functions the checks of domains call, and those of the
// domains that they are made of.
func (l *loader) domains() {
	l.each(`with recursive up(domain, base) as (
 select t.oid, t.oid from pg_catalog.pg_type t where t.typtype = 'd' and t.oid >= 16384::pg_catalog.oid
 union select u.domain, t.typbasetype from up u join pg_catalog.pg_type t on t.oid = u.base where t.typtype = 'd')
select u.domain, c.conbin::pg_catalog.text from up u join pg_catalog.pg_constraint c on c.contypid = u.base where c.conbin is not null`, func(f []string) {
		domain := l.oid(f[0])
		t, err := ReadTree(f[1])
		if err != nil {
			l.c.domains[domain] = append(l.c.domains[domain], unreadable)
			return
		}
		eachCall(t.Root(), func(id uint32) {
			if id >= firstUserOID && !slices.Contains(l.c.domains[domain], id) {
				l.c.domains[domain] = append(l.c.domains[domain], id)
			}
		})
	})
}

// unreadable is the OID of a function that no catalog holds.
const unreadable = 1<<32 - 1

// eachCall calls f for what is called at and beneath a node.
func eachCall(n Node, f func(id uint32)) {
	for _, field := range [...]string{"funcid", "opfuncid", "aggfnoid", "winfnoid"} {
		if id, ok := n.number(field); ok && n.at().kind == object {
			f(uint32(id))
		}
	}
	for c := n.first(); c.t != nil; c = c.following() {
		eachCall(c, f)
	}
}
