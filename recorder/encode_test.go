package recorder

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hoop/policy"
)

// fill sets every field that it can reach, so that a field added to an event
// and forgotten in the encoder fails the test.
func fill(v reflect.Value, t *rapid.T) {
	switch v.Kind() {
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), t)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			ns := rapid.Int64Range(0, 4e18).Draw(t, "ns")
			v.Set(reflect.ValueOf(time.Unix(0, ns).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), t)
		}
	case reflect.Slice:
		n := rapid.IntRange(-1, 3).Draw(t, "len")
		if n < 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), t)
		}
	case reflect.Map:
		m := rapid.MapOfN(text(), rapid.Int(), 0, 4).Draw(t, "map")
		v.Set(reflect.ValueOf(m))
	case reflect.String:
		v.SetString(text().Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Uint8:
		v.SetUint(uint64(rapid.IntRange(0, 3).Draw(t, "small")))
	case reflect.Uint32:
		v.SetUint(uint64(rapid.Uint32().Draw(t, "uint32")))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, "uint64"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int"))
	default:
		t.Fatalf("an event holds a %s, which the test cannot fill", v.Kind())
	}
}

// text draws strings with everything that needs an escape, and invalid UTF-8.
func text() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.Just(""),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }),
		rapid.Just("<a href=\"x\">&\u2028\u2029\\\b\f\n\r\t\x00\x1f\x7f é 漢\xff"),
	)
}

func TestEncoderWritesWhatEncodingJSONWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ev Event
		fill(reflect.ValueOf(&ev).Elem(), t)
		want, err := json.Marshal(&ev)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(appendEvent(nil, &ev))); diff != "" {
			t.Fatalf("encoding/json (-) and appendEvent (+) differ:\n%s", diff)
		}
	})
}

func FuzzEncodeText(f *testing.F) {
	f.Add("select '\u2028' -- <b>&\x00\xff")
	f.Fuzz(func(t *testing.T, s string) {
		ev := Event{Text: s, Params: []Param{{Value: s}, {}, {Null: true, OID: 3}}, Masked: map[string]int{s: 1}}
		want, err := json.Marshal(&ev)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendEvent(nil, &ev); string(got) != string(want) {
			t.Fatalf("encoding/json %s\nappendEvent   %s", want, got)
		}
	})
}

func TestEventReadsBack(t *testing.T) {
	want := sample()
	var got Event
	if err := json.Unmarshal(appendEvent(nil, want), &got); err != nil {
		t.Fatal(err)
	}
	want.Exact = nil
	if diff := cmp.Diff(want, &got); diff != "" {
		t.Error(diff)
	}
}

// sample is a decided statement of ordinary size.
func sample() *Event {
	return &Event{
		Time: time.Date(2026, 3, 4, 5, 6, 7, 891000000, time.UTC), Type: ActionDecided,
		Session: "s_01j9z3k4m5n6p7q8", Connection: "prod-db", Protocol: "postgres",
		Principal: &policy.Principal{ID: "https://id.example|alice", Name: "alice@example.com", Email: "alice@example.com",
			Kind: policy.Person, Groups: []string{"engineers", "oncall"}, Issuer: "https://id.example"},
		Chain: policy.Chain{{ID: "https://id.example|alice", Name: "alice@example.com", Kind: policy.Person},
			{ID: "d_1", Name: "claude", Kind: policy.Agent, Claimed: true}},
		Client: "10.1.2.3:50312", Binding: "exporter", Action: 7, Verb: "sql.select",
		Text:   "SELECT abalance FROM pgbench_accounts WHERE aid = $1",
		Exact:  []byte("SELECT abalance FROM pgbench_accounts WHERE aid = $1\x004711"),
		Params: []Param{{Value: "4711", OID: 23}},
		SQL: &policy.SQL{Kind: "select", Effects: []string{"read"}, Reads: []string{"pgbench_accounts"},
			Tables: []string{"pgbench_accounts"}},
		Verdict: &policy.Verdict{Effect: policy.Allow, Rule: "engineers read", Policy: "9f2c"},
	}
}

func BenchmarkEncode(b *testing.B) {
	ev := sample()
	b.Run("ours", func(b *testing.B) {
		buf := make([]byte, 0, 4096)
		b.ReportAllocs()
		for b.Loop() {
			buf = appendEvent(buf[:0], ev)
		}
		b.SetBytes(int64(len(buf)))
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(ev); err != nil {
				b.Fatal(err)
			}
		}
	})
}
