package api

import (
	"net/http"
	"time"

	"hoop/broker"
	"hoop/broker/approval"
	"hoop/broker/identity"
	"hoop/policy"
)

// requestAccess asks for a grant to open a connection.
func (h *Handler) requestAccess(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	var in AccessRequest
	if !h.read(w, r, &in) {
		return
	}
	c, err := h.Broker.Lookup(in.Connection)
	if err != nil {
		h.fail(w, h.cannotOpen(l, in.Connection))
		return
	}
	v := h.Broker.Policy().Evaluate(&policy.Input{Principal: &l.Principal, Chain: l.Chain(), Connection: &c.Connection,
		Action: &policy.Action{Verb: "session.open", Text: c.Target.Database}, Now: time.Now()})
	lasts := time.Duration(in.ForSec) * time.Second
	switch {
	case v.Effect == policy.Deny:
		h.fail(w, h.cannotOpen(l, in.Connection))
	case in.ForSec <= 0 || in.ForSec > int64(approval.MaxGrant/time.Second):
		h.fail(w, &Error{Status: http.StatusBadRequest, Code: CodeUsage, Message: "access is asked for between 1s and " + approval.MaxGrant.String()})
	case in.BreakGlass:
		h.breakGlass(w, r, l, accessRequest(c, &v, &in, h.approver(r, l)), lasts)
	case v.Effect == policy.Allow:
		h.answer(w, AccessAnswer{})
	default:
		h.openRequest(w, r, l, accessRequest(c, &v, &in, h.approver(r, l)))
	}
}

func accessRequest(c *broker.Connection, v *policy.Verdict, in *AccessRequest, who *approval.Approver) *approval.Request {
	return &approval.Request{Kind: approval.KindSession, Connection: c.Name, Protocol: c.Protocol,
		Principal: who.Principal, Chain: who.Chain, Client: who.Client, Binding: who.Binding,
		Reason: in.Reason, Ticket: in.Ticket, ForSec: in.ForSec, Verb: "session.open", Rule: v.Rule, RuleReason: v.Reason}
}

func (h *Handler) openRequest(w http.ResponseWriter, r *http.Request, l *identity.Caller, q *approval.Request) {
	a, err := h.Approvals.Open(r.Context(), q)
	if err != nil {
		h.notAnswered(w, err)
		return
	}
	out := h.describeApproval(a, l)
	h.answer(w, AccessAnswer{Approval: &out})
}

// breakGlass goes by the rule that asks for opening, or, where opening is
// allowed anyway, by any rule that would ask for a statement.
func (h *Handler) breakGlass(w http.ResponseWriter, r *http.Request, l *identity.Caller, q *approval.Request, lasts time.Duration) {
	g, err := h.Approvals.BreakGlass(r.Context(), q, lasts)
	if err != nil {
		h.notAnswered(w, err)
		return
	}
	out := describeGrant(g)
	h.answer(w, AccessAnswer{Grant: &out})
}

// grants lists those that the caller may see, as with approvals.
func (h *Handler) grants(w http.ResponseWriter, _ *http.Request, l *identity.Caller) {
	out, all := []Grant{}, h.may(l, "audit.read")
	found := h.Approvals.Grants()
	for i := range found {
		if all || h.mayRevoke(&found[i], l) {
			out = append(out, describeGrant(&found[i]))
		}
	}
	h.answer(w, out)
}

// mayRevoke: a grant is ended by whose it is, by who could have given it, and
// by whom policy allows the verb "grant.revoke".
func (h *Handler) mayRevoke(g *approval.Grant, l *identity.Caller) bool {
	return g.Principal.ID == l.Principal.ID || h.Approvals.Concerns(g.Rule, &l.Principal) || h.may(l, "grant.revoke")
}

func (h *Handler) revokeGrant(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	err := approval.ErrNoGrant
	for _, g := range h.Approvals.Grants() {
		if g.ID == r.PathValue("id") && h.mayRevoke(&g, l) {
			err = h.Approvals.Revoke(r.Context(), g.ID, l.Principal.Name)
		}
	}
	if err != nil {
		h.notAnswered(w, err)
		return
	}
	h.answer(w, struct{}{})
}

func describeGrant(g *approval.Grant) Grant {
	return Grant{ID: g.ID, Kind: g.Kind, Connection: g.Connection, Principal: g.Principal.Name, Chain: g.Chain, Text: g.Text,
		Approval: g.Approval, Approvers: g.Approvers(), Created: g.Created, Expires: g.Expires, Uses: g.Uses,
		Rule: g.Rule, Reason: g.Reason, Ticket: g.Ticket, BreakGlass: g.BreakGlass}
}
