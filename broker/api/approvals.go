package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"hoop/broker/approval"
	"hoop/broker/identity"
)

// approvals lists those that the caller may see: their own, those that they may
// answer, and all for one whom policy allows the verb "audit.read".
func (h *Handler) approvals(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	state := r.URL.Query().Get("state")
	if state == "all" {
		state = ""
	} else if state == "" {
		state = approval.Pending
	}
	found, err := h.Approvals.List(r.Context(), state)
	if err != nil {
		h.refuse(w, err)
		return
	}
	out, all, most := []Approval{}, h.may(l, "audit.read"), limitOf(r)
	for i := range found {
		if len(out) < most && (all || h.sees(&found[i], l)) {
			out = append(out, h.describeApproval(&found[i], l))
		}
	}
	h.answer(w, out)
}

// sees reports whether an approval is the caller's affair.
func (h *Handler) sees(a *approval.Approval, l *identity.Caller) bool {
	return a.Principal.ID == l.Principal.ID || h.Approvals.Concerns(a.Rule, &l.Principal) ||
		slices.ContainsFunc(a.Answers, func(b approval.Answer) bool { return b.Approver.ID == l.Principal.ID })
}

func (h *Handler) approval(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	a := h.find(w, r, l)
	if a == nil {
		return
	}
	out := h.describeApproval(a, l)
	past, err := h.Approvals.History(r.Context(), a)
	if err != nil {
		h.refuse(w, err)
		return
	}
	out.History = &ApprovalHistory{Asked: past.Asked, Approved: past.Approved, Denied: past.Denied, SameText: past.SameText}
	h.answer(w, out)
}

// find gives the approval of the path, or answers that there is none that the
// caller may see.
func (h *Handler) find(w http.ResponseWriter, r *http.Request, l *identity.Caller) *approval.Approval {
	a, err := h.Approvals.Get(r.Context(), r.PathValue("id"))
	if err == nil && !h.sees(a, l) && !h.may(l, "audit.read") {
		err = approval.ErrNotFound
	}
	if err != nil {
		h.notAnswered(w, err)
		return nil
	}
	return a
}

func (h *Handler) answerApproval(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	var in AnswerRequest
	if !h.read(w, r, &in) {
		return
	}
	a := h.find(w, r, l)
	if a == nil {
		return
	}
	digest, _ := hex.DecodeString(in.Digest) // a wrong one fits nothing
	a, err := h.Approvals.Answer(r.Context(), a.ID, digest, h.approver(r, l),
		approval.Answer{Decision: in.Decision, Comment: in.Comment, ForSec: in.ForSec, Signature: in.Signature})
	if err != nil {
		h.notAnswered(w, err)
		return
	}
	h.answer(w, h.describeApproval(a, l))
}

func (h *Handler) approver(r *http.Request, l *identity.Caller) *approval.Approver {
	return &approval.Approver{Principal: l.Principal, Chain: l.Chain(), Key: l.Key, Client: h.Logins.ClientAddress(r), Binding: l.Binding}
}

// withdrawApproval lets a requester take an approval back.
func (h *Handler) withdrawApproval(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	a := h.find(w, r, l)
	if a == nil {
		return
	}
	err := error(&approval.ForbiddenError{Why: "only who asked can withdraw it; you can deny it"})
	if a.Principal.ID == l.Principal.ID {
		err = h.Approvals.Cancel(r.Context(), a.ID, l.Principal.Name+" withdrew it")
	}
	if err != nil {
		h.notAnswered(w, err)
		return
	}
	h.answer(w, struct{}{})
}

// notAnswered words why an approval, or a grant, could not be acted on.
func (h *Handler) notAnswered(w http.ResponseWriter, err error) {
	var no *approval.ForbiddenError
	var late *approval.EndedError
	switch {
	case errors.Is(err, approval.ErrNotFound), errors.Is(err, approval.ErrNoGrant):
		h.fail(w, &Error{Status: http.StatusNotFound, Code: CodeNotFound, Message: err.Error(), Hint: "hoop approvals list shows those that you may see"})
	case errors.As(err, &no):
		h.fail(w, &Error{Status: http.StatusForbidden, Code: CodeDenied, Message: no.Why})
	case errors.As(err, &late), errors.Is(err, approval.ErrDigest):
		h.fail(w, &Error{Status: http.StatusConflict, Code: CodeDenied, Message: err.Error(), Hint: "look at it again: hoop approvals show"})
	case errors.Is(err, approval.ErrReason):
		h.fail(w, &Error{Status: http.StatusBadRequest, Code: CodeUsage, Message: err.Error()})
	default:
		h.refuse(w, err)
	}
}

// Timing of the stream of approvals.
const (
	pingEvery  = 15 * time.Second
	watchWrite = 10 * time.Second // for one line
)

// watchApprovals streams what changes, as JSON lines, after what is pending
// now. It ends with the caller's login, or where they do not keep up.
func (h *Handler) watchApprovals(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	watcher := h.Approvals.Watch()
	defer watcher.Close()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(l.Ended(), cancel)()
	defer context.AfterFunc(h.Base, cancel)()
	s := &approvalStream{h: h, w: w, l: l, control: http.NewResponseController(w)}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	if err := s.begin(r.Context()); err != nil {
		return
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ping.C:
			if s.line(&ApprovalEvent{Event: "ping"}) != nil {
				return
			}
		case ev, more := <-watcher.C:
			if !more || s.tell(ev.What, &ev.Approval) != nil {
				return
			}
		}
	}
}

type approvalStream struct {
	h       *Handler
	w       http.ResponseWriter
	l       *identity.Caller
	control *http.ResponseController
}

func (s *approvalStream) begin(ctx context.Context) error {
	open, err := s.h.Approvals.List(ctx, approval.Pending)
	if err != nil {
		return err
	}
	for i := range open {
		if err := s.tell(approval.Opened, &open[i]); err != nil {
			return err
		}
	}
	return s.line(&ApprovalEvent{Event: "ping"})
}

func (s *approvalStream) tell(what string, a *approval.Approval) error {
	if a.ID == "" || !s.h.sees(a, s.l) && !s.h.may(s.l, "audit.read") {
		return nil
	}
	out := s.h.describeApproval(a, s.l)
	return s.line(&ApprovalEvent{Event: what, Approval: &out})
}

func (s *approvalStream) line(ev *ApprovalEvent) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(watchWrite)); err != nil {
		return err
	}
	if err := json.NewEncoder(s.w).Encode(ev); err != nil {
		return err
	}
	return s.control.Flush()
}

func (h *Handler) describeApproval(a *approval.Approval, l *identity.Caller) Approval {
	out := Approval{
		ID: a.ID, State: a.State, Kind: a.Kind, Created: a.Created, Expires: a.Expires, Ended: a.Ended, Why: a.Why,
		Session: a.Session, Connection: a.Connection, Protocol: a.Protocol, Requester: a.Principal.Name, RequesterID: a.Principal.ID,
		Chain: a.Chain, Client: a.Client, Reason: a.Reason, Ticket: a.Ticket, ForSec: a.ForSec,
		Verb: a.Verb, Text: a.Text, Params: a.Params, SQL: a.SQL, SSH: a.SSH, Exact: a.Exact, Objects: a.Objects, Settings: a.Settings, Labels: a.Labels,
		Digest: a.Hex(), Link: a.Link, Rule: a.Rule, RuleReason: a.RuleReason, Grant: a.Grant,
		Groups: a.Asked.Groups, Names: a.Asked.Names, Quorum: approval.Quorum(&a.Asked),
	}
	for i := range a.Answers {
		b := &a.Answers[i]
		out.Answers = append(out.Answers, Answer{Approver: b.Approver.Name, Decision: b.Decision, Comment: b.Comment, Time: b.Time,
			ForSec: b.ForSec, Key: b.Key, Signature: b.Signature, Via: b.Via})
	}
	if p := a.Preview; p != nil {
		out.Preview = &Preview{Plan: p.Plan, EstimatedRows: p.EstimatedRows, ExactRows: p.ExactRows, Problem: p.Problem}
	}
	err := error(&approval.EndedError{State: a.State, ID: a.ID})
	if a.State == approval.Pending {
		err = h.Approvals.MayAnswer(a, &approval.Approver{Principal: l.Principal, Chain: l.Chain()})
	}
	if out.MayAnswer = err == nil; err != nil {
		out.WhyNot = err.Error()
	}
	return out
}
