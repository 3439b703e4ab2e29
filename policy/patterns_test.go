package policy

import (
	"strings"
	"testing"
)

func TestPatternsAndMasksAreChecked(t *testing.T) {
	yes := true
	p, err := Compile([]Document{{
		Patterns: map[string]string{"employee": `\bEMP-[0-9]{6}\b`},
		Masks: map[string]MaskSpec{
			"employee": {Method: "format_preserving"},
			"pii.name": {Method: "fixed", Text: "someone"},
			"pii.born": {Method: "generalise", To: "year"},
			"pii.code": {Method: "partial", KeepSeparators: &yes},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Patterns(); len(got) != 1 || got["employee"] == "" {
		t.Errorf("patterns: %v", got)
	}
	for want, doc := range map[string]Document{
		"patterns.a":         {Patterns: map[string]string{"a": "("}},
		"patterns.A b":       {Patterns: map[string]string{"A b": "x"}},
		"masks.a.text":       {Masks: map[string]MaskSpec{"a": {Method: "fixed"}}},
		"masks.a.to":         {Masks: map[string]MaskSpec{"a": {Method: "generalise", To: "week"}}},
		"masks.a.method":     {Masks: map[string]MaskSpec{"a": {Method: "rot13"}}},
		"keep_separators":    {Masks: map[string]MaskSpec{"a": {Method: "hash", KeepSeparators: &yes}}},
		"means nothing with": {Masks: map[string]MaskSpec{"a": {Method: "redact", To: "month"}}},
	} {
		if _, err := Compile([]Document{doc}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
