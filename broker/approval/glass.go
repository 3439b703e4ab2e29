package approval

import (
	"context"
	"slices"
	"strings"
	"time"

	"hoop/policy"
	"hoop/recorder"
)

// BreakGlass gives a grant that nobody was asked for, to who the rule trusts
// with that: a person, themselves, with a reason. It is recorded and announced
// before it counts.
func (d *Desk) BreakGlass(ctx context.Context, q *Request, lasts time.Duration) (*Grant, error) {
	spec, ok := d.policy().Approval(q.Rule)
	switch {
	case !ok || !mayBreakGlass(&spec, &q.Principal):
		return nil, forbidden("rule %q does not let you break the glass", q.Rule)
	case q.Principal.Kind != policy.Person || len(q.Chain) > 1:
		return nil, forbidden("only a person can break the glass, and nobody in their name")
	case strings.TrimSpace(q.Reason) == "":
		return nil, ErrReason
	case lasts <= 0 || lasts > MaxGrant:
		return nil, forbidden("a grant lasts %s at most", MaxGrant)
	}
	g := grantOf(q, d.now(), lasts)
	g.Kind, g.BreakGlass = KindSession, true
	if err := d.addGrant(ctx, g, recorder.BreakGlass); err != nil {
		return nil, err
	}
	d.log.Error("the glass was broken", "grant", g.ID, "principal", g.Principal.Name, "connection", g.Connection, "expires", g.Expires)
	shown := *g
	d.tell(Event{What: Glass, Grant: &shown})
	return &shown, nil
}

func mayBreakGlass(spec *policy.ApprovalSpec, p *policy.Principal) bool {
	return p != nil && slices.ContainsFunc(spec.BreakGlass, func(g string) bool { return slices.Contains(p.Groups, g) })
}
