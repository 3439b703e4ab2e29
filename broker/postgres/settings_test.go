package postgres

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitOptions(t *testing.T) {
	for in, want := range map[string][]string{
		"":                        nil,
		"  ":                      nil,
		"-c a=b":                  {"-c", "a=b"},
		" -c  a=b\t--c=d ":        {"-c", "a=b", "--c=d"},
		`-c a=b\ c`:               {"-c", "a=b c"},
		`-c a=b\\ -c d=e`:         {"-c", `a=b\`, "-c", "d=e"},
		`\ `:                      {" "},
		`a\`:                      {"a"},
		"-c x='quoted\u00a0here'": {"-c", "x='quoted\u00a0here'"},
	} {
		if diff := cmp.Diff(want, splitOptions(in)); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
}

// FuzzOptions: whatever stands in the options parameter, what is passed on has
// a plain name, none that a startup packet reads otherwise, and none that is
// fixed; the rest is refused.
func FuzzOptions(f *testing.F) {
	for _, s := range []string{"-c a=b", "--A-b=c", `-c\ user=x`, "-c User=x", "--client-encoding=UTF8", "-c _pq_.a=b", "-cx.y=z", "-d 5", "-c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, options string) {
		p := &startupPacket{code: protocol30, settings: []setting{{"options", options}}}
		ask, err := p.request()
		if err != nil {
			if r := (*refusal)(nil); !errors.As(err, &r) {
				t.Fatalf("%q: not a refusal: %v", options, err)
			}
			return
		}
		if ask.database != "" || ask.replication {
			t.Fatalf("%q became more than settings", options)
		}
		for name := range ask.settings {
			_, fixed := fixedSettings()[name]
			if fixed || !settingName.MatchString(name) || slices.Contains(reservedSettings[:], name) {
				t.Fatalf("%q passes %q on", options, name)
			}
		}
	})
}
