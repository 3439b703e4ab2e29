package recorder

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestBriefReadsWhatEncodingJSONReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ev Event
		fill(reflect.ValueOf(&ev).Elem(), t)
		payload := appendEvent(nil, &ev)
		var want brief
		if err := json.Unmarshal(payload, &want); err != nil {
			t.Fatal(err)
		}
		got, err := readBrief(payload, func(b []byte) string { return string(b) })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s\n%s", payload, diff)
		}
	})
}

// FuzzBrief: on any JSON without spaces, the fast reader either agrees with
// encoding/json about the events' own fields or leaves it to encoding/json.
func FuzzBrief(f *testing.F) {
	f.Add(string(appendEvent(nil, sample())))
	f.Add(`{"index":1,"type":"a\"b","session":"x","rows":5}`)
	f.Fuzz(func(t *testing.T, text string) {
		payload := appendEvent(nil, &Event{Type: ActionFinished, Session: text, Text: text, Reason: text, Rows: 7})
		got, err := readBrief(payload, func(b []byte) string { return string(b) })
		var want brief
		if jerr := json.Unmarshal(payload, &want); jerr != nil || err != nil {
			t.Fatal(jerr, err)
		}
		if got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
		_, _ = readBrief([]byte(text), func(b []byte) string { return string(b) }) // must not panic
	})
}
