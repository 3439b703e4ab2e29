package sql

import (
	"strings"
	"testing"
)

func TestShape(t *testing.T) {
	for _, c := range []struct {
		text, shape string
	}{
		{"SELECT abalance FROM pgbench_accounts WHERE aid = 12345;", "SELECT abalance FROM pgbench_accounts WHERE aid = \x01;"},
		{"SELECT 'a', -1.5, $1, $$x$$, E'x' -- 1\n", "SELECT \x03, -\x02, $1, $$x$$, E'x' -- 1\n"},
		{"SELECT 2147483647, 2147483648", "SELECT \x01, \x02"},
		{"SELECT x1, \"1\", 'a'\n'b'", "SELECT x1, \"1\", \x03"},
		{"SELECT '\x01'", ""},
		{"SELECT U&'x'", ""},
		{"SELECT 'x' UEscape '!'", ""},
		{"SELECT 1_000", ""},
		{"SELECT 'x", ""},
	} {
		shape, _, ok := appendShape(nil, c.text)
		if !ok {
			shape = nil
		}
		if string(shape) != c.shape {
			t.Errorf("%q is %q, want %q", c.text, shape, c.shape)
		}
	}
}

// otherConstants puts other constants of the same classes into a text.
func otherConstants(t testing.TB, text string, seed int) string {
	tokens, _ := lex(t, text)
	words := []string{`''`, `'x'`, `'%'`, `'t'`, `'''; DELETE FROM a; --'`, `'\'`, `'/*'`, `'$$'`, "'a'\n'b'"}
	integers := []string{"0", "1", "7", "2147483647"}
	numbers := []string{"1.5", "1.", "2147483648", "1e10"}
	var b strings.Builder
	for i, k := range tokens {
		switch k.kind {
		case tokenString:
			b.WriteString(words[(seed+i)%len(words)])
		case tokenInteger:
			b.WriteString(integers[(seed+i)%len(integers)])
		case tokenNumber:
			if text[k.start] == '.' { // a digit there would join what stands before
				b.WriteString(".25e1")
				continue
			}
			if k.end < len(text) && text[k.end] == '.' {
				b.WriteString("1.5")
				continue
			}
			b.WriteString(numbers[(seed+i)%len(numbers)])
		default:
			b.WriteString(text[k.start:k.end])
		}
	}
	return b.String()
}

// sameShapeSameFacts fails where two texts of one shape have different facts,
// of those that would be judged by shape.
func sameShapeSameFacts(t testing.TB, text, other string) {
	a, _, okA := appendShape(nil, text)
	b, _, okB := appendShape(nil, other)
	if !okA || !okB || string(a) != string(b) || strings.IndexByte(text, 0) >= 0 || depth(text) > 1000 {
		return
	}
	ra, rb := analyse(text), analyse(other)
	if len(ra.Statements) != 1 || !ra.Statements[0].LiteralFree || rb.Error != "" {
		return // what our grammar refuses, the server refuses as well
	}
	if len(rb.Statements) != 1 || brief(ra.Statements[0].Facts) != brief(rb.Statements[0].Facts) {
		t.Errorf("one shape, two readings:\n%q: %s\n%q: %+v", text, brief(ra.Statements[0].Facts), other, rb.Statements)
	}
}

func TestSameShapeSameFacts(t *testing.T) {
	texts := append(corpus(t),
		"DELETE FROM a WHERE 1 = 2", "DELETE FROM a WHERE 'x' = 'y'", "DELETE FROM a WHERE 'f'::bool", "DELETE FROM a WHERE name LIKE 'x'",
		"DELETE FROM a WHERE id + 1 = id + 2", "DELETE FROM a WHERE id = 1 OR id <> 2", "UPDATE a SET x = 5 WHERE id IN (1, 2)", "SELECT set_config('a', 'b', false)",
		"DELETE FROM a WHERE CASE WHEN 1 = 2 THEN true ELSE x END", "DELETE FROM a WHERE id BETWEEN 1 AND 2", "DELETE FROM a WHERE (id, 1) = (id, 2)",
		"WITH x AS (DELETE FROM a WHERE 1 = 2) SELECT 1", "INSERT INTO a VALUES (1, 'x', 1.5)", "MERGE INTO a USING b ON 1 = 2 WHEN MATCHED THEN DELETE")
	shaped := 0
	for _, text := range texts {
		shape, constants, ok := appendShape(nil, text)
		if !ok || constants == 0 {
			continue
		}
		for seed := range 3 {
			other := otherConstants(t, text, seed)
			again, _, ok := appendShape(nil, other)
			if !ok || string(again) != string(shape) {
				t.Errorf("%q\nand %q\nhave different shapes", text, other)
			}
			sameShapeSameFacts(t, text, other)
		}
		shaped++
	}
	t.Logf("%d texts with constants", shaped)
	if shaped < 50 {
		t.Errorf("only %d texts with constants", shaped)
	}
}

// FuzzLexer: the tokens cover the text, and the real scanner agrees wherever
// the lexer is sure.
func FuzzLexer(f *testing.F) {
	for _, text := range corpus(f) {
		f.Add(text)
	}
	analyse("SELECT 1") // the grammar takes longer to compile than one execution may
	f.Fuzz(func(t *testing.T, text string) {
		tokens, _ := lex(t, text)
		at := 0
		for _, k := range tokens {
			if k.start != at {
				t.Fatalf("%q: a gap before %d", text, k.start)
			}
			at = k.end
		}
		if at != len(text) {
			t.Fatalf("%q: the tokens end at %d", text, at)
		}
		compareWithScanner(t, text)
	})
}

// FuzzShape: texts of one shape have the same facts.
func FuzzShape(f *testing.F) {
	for i, c := range factCases {
		f.Add(c.sql, i)
	}
	analyse("SELECT 1")
	f.Fuzz(func(t *testing.T, text string, seed int) {
		sameShapeSameFacts(t, text, otherConstants(t, text, seed&0xff))
	})
}
