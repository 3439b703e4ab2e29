package cli

import (
	"testing"

	"hoop/broker"
)

func TestProposal(t *testing.T) {
	for _, c := range []struct {
		values int
		found  map[string]int
		label  string
		why    string
	}{
		{100, map[string]int{"email": 97, "phone": 2}, "pii.email", "high confidence: email in 97 of 100 values"},
		{3, map[string]int{"us_ssn": 3}, "pii.ssn", "medium confidence: us_ssn in 3 of 3 values"},
		{100, map[string]int{"api_key": 20}, "secret.api_key", "low confidence: api_key in 20 of 100 values"},
		{100, map[string]int{"phone": 9}, "", ""},
		{0, nil, "", ""},
	} {
		label, why, _ := proposal(&broker.SampledColumn{Values: c.values, Found: c.found})
		if label != c.label || why != c.why {
			t.Errorf("%v of %d: %q, %q", c.found, c.values, label, why)
		}
	}
	if got := yamlName(`Odd"Name`); got != `"Odd""Name"` {
		t.Errorf("%s", got)
	}
}
