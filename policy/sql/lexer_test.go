package sql

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"
	pgquery "github.com/wasilibs/go-pgquery"
)

// lexerCases are where scanners differ. All of them must be read as PostgreSQL
// reads them, or be odd.
var lexerCases = []string{
	`SELECT 'it''s', E'it\'s \\', B'01', X'1F', N'x', U&'\0061', u&"x" uescape '!'`,
	"SELECT 'a'\n'b', 'a' 'b'", "SELECT 'a' -- c ' c\n 'b'", "SELECT E'a'\n'b\\'c'", "SELECT 'a' /* \n */ 'b'", "SELECT 'a'--\r\r'b'",
	"SELECT 'a'\n--x\n--y'\n'b', 'c' --\n", "SELECT 'a'-\n'b'", "SELECT 'a' - -\n'b'",
	`SELECT $$a'b$$, $x$ $$ $y$ $x$, $1, $12::int, a$1, a$b$c$b$, $é$x$é$`, `SELECT $1a`, `SELECT $a`, `SELECT $`, `SELECT $1$$x$$`, `SELECT $a1$x$a1$, $1a$x$1a$`,
	`SELECT 1, 1.5, .5, 1., 1e5, 1E+5, 1.5e-5, 1e, 1e+, 1.e5, 007, 2147483647, 2147483648, 99999999999`, `SELECT 1..2`, `SELECT a[1..2]`, `SELECT 1_000, 0x1F, 0o7, 0b1`, `SELECT 123abc`, `SELECT 1.5.5`, `SELECT t.5`, `SELECT 1.5e5e`, `SELECT 00000000002147483647, 00000000002147483648`,
	`SELECT 1--2`, `SELECT 1 /* a /* b */ c */ + 2`, `SELECT 1 */* x */ 2`, `SELECT 1 //* x */ 2`, `SELECT 1+--x
2`, `SELECT 1 /*/ x */ 2`, `SELECT 1 /**/ 2`, `SELECT 1 /***/ 2`, `SELECT 1 /* '`, `SELECT 1 <--x
2`, `SELECT 1 -/*x*/- 2`, `SELECT '/*' , '*/'`, `SELECT "/*", "--" -- "`, `SELECT 1 /* /* */ '*/ '*/ */'`,
	`SELECT a::int, a:=1, a=>b, x->>'y', @@ 'x', #-5, !!1, a<=-1, a>=b, a!=b, a<>b, |/ 25.0, ~1`, `SELECT "a""b", "a b"."C", ""`, "SELECT \v1", "SELECT 'a\x01b'", `SELECT é, "é", 'é', éE'x\'', ée1`,
	`SELECT 'a\', 'b'`, `SELECT fooE'x'`, `SELECT e 'x\', 'y'`, `SELECT b '1', x '1', n 'x'`, `select 'x`, `select "x`, `select $a$x`, `select E'\`, `select E'\'`, `select 'x' uescape '!'`, ``, ` `, `;`, `--`, `/*`, `'`, `E'`, `\d`, `{}`,
}

func corpus(t testing.TB) []string {
	texts := append([]string{}, lexerCases...)
	for _, c := range factCases {
		texts = append(texts, c.sql)
	}
	dir := os.Getenv("HOOP_CORPORA")
	if dir == "" {
		return texts
	}
	f, err := os.Open(filepath.Join(dir, "pg15_statements.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct{ SQL string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, line.SQL)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return texts
}

type lexed struct {
	kind       token
	start, end int
}

// lex gives all tokens; odd is true where one is odd.
func lex(t testing.TB, text string) (tokens []lexed, odd bool) {
	l := lexer{text: text}
	for l.at < len(text) {
		start := l.at
		kind := l.next()
		if l.at <= start || l.at > len(text) {
			t.Fatalf("%q: token %d goes from %d to %d", text, kind, start, l.at)
		}
		odd = odd || kind == tokenOdd
		tokens = append(tokens, lexed{kind, start, l.at})
	}
	return tokens, odd
}

// kindOf is what the real scanner's token must be to us.
func kindOf(tok *pg.ScanToken) token {
	switch tok.GetToken() {
	case pg.Token_SCONST:
		return tokenString
	case pg.Token_ICONST:
		return tokenInteger
	case pg.Token_FCONST:
		return tokenNumber
	case pg.Token_PARAM:
		return tokenParam
	case pg.Token_BCONST, pg.Token_XCONST:
		return tokenEscaped
	case pg.Token_SQL_COMMENT, pg.Token_C_COMMENT:
		return tokenComment
	}
	if tok.GetToken() == pg.Token_IDENT || tok.GetKeywordKind() != pg.KeywordKind_NO_KEYWORD {
		return tokenWord
	}
	return tokenSign
}

// verbatimError reports whether the scanner's error is about what a shape keeps
// as it stands, so that every text of the shape has it.
func verbatimError(t testing.TB, text string) bool {
	for seed := range 3 {
		if _, err := pgquery.Scan(otherConstants(t, text, seed)); err == nil {
			return false
		}
	}
	return true
}

// compareWithScanner fails where the lexer is sure and PostgreSQL's scanner
// reads the text in another way.
func compareWithScanner(t testing.TB, text string) (compared bool) {
	tokens, odd := lex(t, text)
	if odd || strings.IndexByte(text, 0) >= 0 {
		return false
	}
	scanned, err := pgquery.Scan(text)
	if err != nil && verbatimError(t, text) {
		return false
	}
	if err != nil {
		t.Errorf("%q\nis odd to the scanner alone: %v", text, err)
		return true
	}
	at := map[int]lexed{}
	for _, k := range tokens {
		at[k.start] = k
	}
	constants := 0
	for _, tok := range scanned.GetTokens() {
		start, end := int(tok.GetStart()), int(tok.GetEnd())
		mine, ok := at[start]
		if !ok {
			t.Errorf("%q\nthe scanner has a %s at %d, we have nothing there", text, tok.GetToken(), start)
			return true
		}
		want := kindOf(tok)
		switch {
		case want == tokenSign:
			end = mine.end // operators are longer to the scanner
		case want == tokenWord && mine.kind == tokenQuoted, want == tokenString && (mine.kind == tokenDollar || mine.kind == tokenEscaped):
			want = mine.kind
		}
		if want == tokenInteger || want == tokenNumber || want == tokenString {
			constants++
		}
		if mine.kind != want || mine.end != end {
			t.Errorf("%q\nthe scanner has a %s at %d–%d, we have %d at %d–%d", text, tok.GetToken(), start, end, mine.kind, mine.start, mine.end)
			return true
		}
	}
	for _, k := range tokens {
		if k.kind == tokenInteger || k.kind == tokenNumber || k.kind == tokenString {
			constants--
		}
	}
	if constants != 0 {
		t.Errorf("%q\nwe have %d more constants than the scanner", text, -constants)
	}
	return true
}

func TestLexerReadsAsPostgreSQLDoes(t *testing.T) {
	compared, texts := 0, corpus(t)
	for _, text := range texts {
		if compareWithScanner(t, text) {
			compared++
		}
	}
	t.Logf("%d of %d texts compared, the others are odd", compared, len(texts))
	if compared < len(factCases)*9/10 {
		t.Errorf("only %d texts were compared", compared)
	}
}
