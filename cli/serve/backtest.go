package serve

import (
	"cmp"
	"slices"
	"time"

	"hoop/broker/config"
	"hoop/policy"
	"hoop/policy/shell"
	"hoop/recorder"
)

// Backtest is what would have become of recorded actions under another policy.
type Backtest struct {
	Events    int      `json:"events"`    // that were decided again
	Unchanged int      `json:"unchanged"` // of these
	Gone      int      `json:"gone"`      // on connections that the configuration no longer has
	Changes   []Change `json:"changes"`
}

// Change is one action whose verdict would differ, and how often it came.
type Change struct {
	Count      int           `json:"count"`
	Last       time.Time     `json:"last"`
	Principal  string        `json:"principal"`
	Chain      string        `json:"chain"`
	Connection string        `json:"connection"`
	Verb       string        `json:"verb"`
	Text       string        `json:"text"`
	Was        policy.Effect `json:"was"`
	WasRule    string        `json:"was_rule,omitempty"`
	Would      policy.Effect `json:"would"`
	WouldRule  string        `json:"would_rule,omitempty"`
}

// recorded is the action of an event. The words of a command are not recorded
// besides its text.
func recorded(ev *recorder.Event) *policy.Action {
	a := &policy.Action{Verb: ev.Verb, Text: ev.Text, SQL: ev.SQL, SSH: ev.SSH}
	if a.SSH != nil && a.Verb == policy.SSHExec {
		shell.Describe(a.Text, a.SSH)
	}
	return a
}

// RunBacktest decides every recorded action since a moment again. Where labels
// decided, beyond the rules, they would decide again: the query trees that
// their verdicts came from are not recorded.
func RunBacktest(cfg *config.Config, p *policy.Policy, dir string, since time.Time) (*Backtest, error) {
	out := &Backtest{Changes: []Change{}}
	at := map[Change]int{}
	err := recorder.Scan(dir, 0, func(ev *recorder.Event) error {
		if ev.Verdict == nil || ev.Principal == nil || ev.Verb == "" || ev.Time.Before(since) ||
			!slices.Contains([]recorder.Type{recorder.ActionDecided, recorder.SessionOpened, recorder.SessionRefused}, ev.Type) {
			return nil
		}
		conn, ok := cfg.PolicyConnection(ev.Connection)
		if !ok {
			out.Gone++
			return nil
		}
		out.Events++
		v := p.Evaluate(&policy.Input{Principal: ev.Principal, Chain: ev.Chain, Connection: conn, Now: ev.Time,
			Action: recorded(ev)})
		if ev.Verdict.Rule == policy.LabelsRule && ev.Verdict.Effect < v.Effect {
			v = *ev.Verdict
		}
		if v.Effect == ev.Verdict.Effect {
			out.Unchanged++
			return nil
		}
		key := Change{Principal: ev.Principal.Name, Chain: ev.Chain.String(), Connection: ev.Connection, Verb: ev.Verb, Text: ev.Text,
			Was: ev.Verdict.Effect, WasRule: ev.Verdict.Rule, Would: v.Effect, WouldRule: v.Rule}
		i, there := at[key]
		if !there {
			i = len(out.Changes)
			at[key] = i
			out.Changes = append(out.Changes, key)
		}
		out.Changes[i].Count++
		out.Changes[i].Last = ev.Time
		return nil
	})
	slices.SortStableFunc(out.Changes, func(a, b Change) int { return cmp.Compare(b.Count, a.Count) })
	return out, err
}
