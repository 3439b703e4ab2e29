package mask

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"hoop/policy"
)

// exampleRules has patterns of every kind: with a literal, with several, in a
// class, without any, with assertions, with a group.
func exampleRules() []Rule {
	return []Rule{
		{"employee", `\bEMP-[0-9]{6}\b`},
		{"badge", `(?i)badge[ :#]*(?P<value>[a-z]{2}[0-9]{4})`},
		{"plate", `\b[A-Z]{2}-[A-Z]{2} [0-9]{3}\b`},
		{"room", `(?:north|south|west)-[0-9]{2}`},
		{"hexcode", `\b0x[0-9a-f]{8}\b`},
		{"line", `(?m)^ACCT:[0-9]+$`},
		{"umlaut", `straße [0-9]{1,3}`},
	}
}

func customDetectors(t testing.TB, rules []Rule) *Detectors {
	t.Helper()
	r, err := CompileRules(rules)
	if err != nil {
		t.Fatal(err)
	}
	classes := make([]string, len(rules))
	for i := range rules {
		classes[i] = rules[i].Class
	}
	d, err := r.NewDetectors(classes, func(string) (*Method, error) {
		return NewMethod(policy.MaskSpec{Method: "redact", Text: "#"}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCustomRulesFindWhatRegexpFinds(t *testing.T) {
	d := customDetectors(t, exampleRules())
	for _, text := range []string{
		"EMP-123456 and xEMP-123456 and EMP-1234567, EMP-654321",
		"Badge: ab1234, badge##zz9999 badgeab12345",
		"car AB-CD 123 AB-CD 1234 ÄB-CD 123",
		"north-01south-22,west-3 west-33",
		"0xdeadbeef 0xdeadbeef0 0x0badcafe",
		"ACCT:1\nACCT:22 \n ACCT:3\nACCT:444",
		"Lange straße 12, straße 1234",
		strings.Repeat("filler text ", 300) + "EMP-123456" + strings.Repeat(" more filler", 300),
		strings.Repeat("EMP-123456 ", 200),
	} {
		checkCustom(t, d, []byte(text))
	}
}

// checkCustom demands that the rules cover each byte that regexp would.
func checkCustom(t *testing.T, d *Detectors, text []byte) {
	t.Helper()
	covered := make([]bool, len(text))
	for _, f := range d.Find(nil, text, Context{}) {
		for i := f.Start; i < f.End; i++ {
			covered[i] = true
		}
	}
	spots := d.Candidates(nil, text)
	for _, r := range exampleRules() {
		re := regexp.MustCompile(r.Pattern)
		g := max(0, re.SubexpIndex("value"))
		for _, m := range re.FindAllSubmatchIndex(text, -1) {
			if m[1]-m[0] > maxReach {
				continue
			}
			for i := m[2*g]; i < m[2*g+1]; i++ {
				if !covered[i] {
					t.Fatalf("%s: byte %d of %q is not covered", r.Class, i, text)
				}
			}
			if len(spots) == 0 {
				t.Fatalf("%s: no candidate in %q", r.Class, text)
			}
		}
	}
}

func FuzzCustom(f *testing.F) {
	f.Add([]byte("EMP-123456 badge ab1234 AB-CD 123 north-01 0xdeadbeef\nACCT:1\nstraße 7"))
	d := customDetectors(f, exampleRules())
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, c := range text {
			if c == escape {
				t.Skip("control sequences are seen through, which regexp does not do")
			}
		}
		checkCustom(t, d, text)
	})
}

func TestCompileRulesRefuses(t *testing.T) {
	for name, rules := range map[string][]Rule{
		"a pattern that does not parse": {{"a", `(`}},
		"what RE2 does not have":        {{"a", `(?=x)y`}},
		"a match of nothing":            {{"a", `x*`}},
		"a class without a name":        {{"", `x`}},
		"a built-in name":               {{"email", `x`}},
		"a name twice":                  {{"a", `xyz`}, {"a", `zyx`}},
		"a rule that matches all":       {{"a", `(?s).`}},
		"a ruinous rule":                {{"a", `(?i)[\w.-]{0,50}?(?:key|id|name|a|e|i|o)(?:[ \t\w.-]{0,20})[\s'"]{0,3}[\w=.-]{3,150}`}},
	} {
		if _, err := CompileRules(rules); err == nil {
			t.Errorf("%s is accepted", name)
		} else if strings.Contains(name, "rule") {
			if !strings.Contains(err.Error(), "MB/s") {
				t.Errorf("%s: no figure: %v", name, err)
			}
		}
	}
	if r, err := CompileRules(nil); r != nil || err != nil {
		t.Errorf("no rules: %v %v", r, err)
	}
}

// manyRules are n rules as people write them: a word, then digits or letters.
func manyRules(n int) []Rule {
	words := []string{"employee", "contract", "badge", "patient", "policyholder", "dossier", "claim", "vehicle", "permit", "locker"}
	rules := make([]Rule, n)
	for i := range rules {
		rules[i] = Rule{
			Class:   fmt.Sprintf("custom_%d", i),
			Pattern: fmt.Sprintf(`(?i)\b%s%c[-_ :#]{0,3}[A-Z0-9]{6,%d}\b`, words[i%len(words)], 'b'+rune(i/len(words)), 8+i%9),
		}
	}
	return rules
}

func TestCustomRulesDoNotAllocateOnCleanText(t *testing.T) {
	r, err := CompileRules(exampleRules())
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.NewDetectors([]string{"*"}, func(string) (*Method, error) { return &Method{}, nil })
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("12 Station Road, Springfield")
	if n := testing.AllocsPerRun(100, func() { d.MaskText(nil, text, Context{}, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
