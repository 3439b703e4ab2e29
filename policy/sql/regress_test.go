package sql

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// everyOf is how many statements of the corpus go by for one that is looked at.
var everyOf = flag.Int("every", 8, "look at one statement of the regression corpus in so many")

// regressed is one text that psql sends when it is fed PostgreSQL 15's own
// regression tests, and what raw_parser() of the real server makes of it: the
// command tag of each statement, or an error.
type regressed struct {
	File  string   `json:"f"`
	ID    int      `json:"id"`
	OK    bool     `json:"ok"`
	Err   string   `json:"err"`
	SQL   string   `json:"sql"`
	Stmts [][3]any `json:"stmts"`
}

func regressionCorpus(t *testing.T) []regressed {
	t.Helper()
	f, err := os.Open("../../testdata/corpora/pg15_statements.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []regressed
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r regressed
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// otherWords are command tags whose kind is called otherwise here. Other tags
// are their kind in capital letters.
var otherWords = map[string][]string{
	"ALTER INDEX": {"alter_tablespace"}, "ALTER MATERIALIZED VIEW": {"alter_tablespace"}, "ALTER TABLE": {"alter_tablespace"}, // … ALL IN TABLESPACE
	"ALTER SERVER": {"alter_foreign_server"}, "CREATE SERVER": {"create_foreign_server"}, "DROP SERVER": {"drop_foreign_server"},
	"CLOSE CURSOR": {"close"}, "CLOSE CURSOR ALL": {"close"}, "COPY": {"copy_in", "copy_out"}, "DEALLOCATE ALL": {"deallocate"},
	"DECLARE CURSOR": {"declare"}, "DISCARD ALL": {"discard"}, "DISCARD SEQUENCES": {"discard"}, "DISCARD TEMP": {"discard"},
	"LOCK TABLE": {"lock"}, "ROLLBACK": {"rollback_to"}, "SELECT": {"select_into"}, "SET": {"set_transaction"},
	"START TRANSACTION": {"begin"}, "TRUNCATE TABLE": {"truncate"},
}

// newerGrammar are the texts that only one of both understands: the grammar
// here is that of PostgreSQL 17, the truth that of 15.
var newerGrammar = map[string]string{
	"create_table.sql 5698": "a constraint that both refuse later, one of them while parsing",
	"merge.sql 16424":       "MERGE … RETURNING is of 17",
	"numerology.sql 18812":  "1_2_3 is a number since 16",
	"numerology.sql 18819":  "libpg_query reads $1a as $1 with an alias",
}

// TestRegressionStatements compares with the real server over its own
// regression tests: the same texts are understood, with the same number of
// statements of the same kinds.
func TestRegressionStatements(t *testing.T) {
	texts, same, exceptions := 0, 0, 0
	for i, r := range regressionCorpus(t) {
		if i%*everyOf != 0 {
			continue
		}
		texts++
		problem := r.compare(analyseText(t, r.SQL))
		switch why, listed := newerGrammar[fmt.Sprintf("%s %d", r.File, r.ID)]; {
		case problem == "":
			same++
		case listed:
			exceptions++
			t.Logf("%s %d: %s (%s)", r.File, r.ID, problem, why)
		default:
			t.Errorf("%s %d: %s: %.200s", r.File, r.ID, problem, r.SQL)
		}
	}
	t.Logf("%d texts, %d (%.3f %%) as the server reads them, %d listed exceptions", texts, same, 100*float64(same)/float64(texts), exceptions)
}

// compare says what differs from what the server made of a text.
func (r *regressed) compare(parts []Statement) string {
	if !r.OK {
		for i := range parts {
			if parts[i].Facts.Unknown {
				return ""
			}
		}
		return "understood, and the server says " + r.Err
	}
	if len(parts) != len(r.Stmts) {
		return fmt.Sprintf("%d statements, not %d", len(parts), len(r.Stmts))
	}
	for i := range parts {
		tag, _ := r.Stmts[i][2].(string)
		kind := parts[i].Facts.Kind
		if strings.ToUpper(strings.ReplaceAll(kind, "_", " ")) != tag && !slices.Contains(otherWords[tag], kind) {
			return fmt.Sprintf("statement %d is %s (%s), not %s", i+1, kind, parts[i].Facts.Why, tag)
		}
	}
	return ""
}
