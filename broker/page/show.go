package page

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"hoop/broker/approval"
	"hoop/recorder"
)

// shown is one approval with what the page makes of it.
type shown struct {
	approval.Approval
	History   approval.History
	May       bool
	WhyNot    string
	OwnKey    bool // only a key of their own would do
	Left      string
	Effects   []string
	Needed    int
	Comment   string // as it was sent, where the answer did not count
	Durations []duration
}

type duration struct{ Seconds, Text string }

// durations are the grants that the page offers.
func durations() []duration {
	return []duration{{"0", "only this once"}, {"900", "the same again for 15 minutes"}, {"3600", "the same again for an hour"}, {"28800", "the same again for 8 hours"}}
}

func (p *Pages) list(w http.ResponseWriter, r *http.Request, s *session) {
	all, err := p.Desk.List(r.Context(), approval.Pending)
	if err != nil {
		p.refuse(w, err)
		return
	}
	all = slices.DeleteFunc(all, func(a approval.Approval) bool { return !p.sees(&a, s) })
	p.write(w, http.StatusOK, "list.html", s, view{Title: "Waiting for an answer", Approvals: all})
}

// sees reports whether an approval is somebody's affair.
func (p *Pages) sees(a *approval.Approval, s *session) bool {
	me := &s.login.Principal
	return a.Principal.ID == me.ID || p.Desk.Concerns(a.Rule, me) ||
		slices.ContainsFunc(a.Answers, func(b approval.Answer) bool { return b.Approver.ID == me.ID })
}

// find gives the approval of the path, or says that there is none that they may
// see.
func (p *Pages) find(w http.ResponseWriter, r *http.Request, s *session) *approval.Approval {
	a, err := p.Desk.Get(r.Context(), r.PathValue("id"))
	if err == nil && !p.sees(a, s) {
		err = approval.ErrNotFound
	}
	switch {
	case errors.Is(err, approval.ErrNotFound):
		p.tell(w, http.StatusNotFound, s, "There is no such approval that you may see.", "It is shown to who asks and to who may answer.")
	case err != nil:
		p.refuse(w, err)
	default:
		return a
	}
	return nil
}

func (p *Pages) show(w http.ResponseWriter, r *http.Request, s *session) {
	if a := p.find(w, r, s); a != nil {
		p.draw(w, r, s, a, view{})
	}
}

// draw shows an approval, and above it what was wrong with an answer to it.
func (p *Pages) draw(w http.ResponseWriter, r *http.Request, s *session, a *approval.Approval, v view) {
	past, err := p.Desk.History(r.Context(), a)
	if err != nil {
		p.refuse(w, err)
		return
	}
	one := &shown{Approval: *a, History: past, Needed: approval.Quorum(&a.Asked), Comment: r.PostFormValue("comment")}
	if a.SQL != nil {
		one.Effects = a.SQL.Effects
	}
	if a.Kind == approval.KindStatement {
		one.Durations = durations()
	}
	if a.State == approval.Pending {
		one.Left = left(time.Until(a.Expires))
		if err := p.Desk.MayAnswer(a, p.approver(r, s)); err != nil {
			one.WhyNot = err.Error()
		}
		one.May = one.WhyNot == ""
	}
	v.One = one
	v.Title = "Approval " + a.ID
	status := http.StatusOK
	if v.Error != "" {
		status = http.StatusConflict
	}
	p.write(w, status, "approval.html", s, v)
}

func left(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "in less than a minute"
	case d < 2*time.Hour:
		return fmt.Sprintf("in %d minutes", int(d.Minutes()))
	default:
		return fmt.Sprintf("in %d hours", int(d.Hours()))
	}
}

// Who words who may answer.
func (s *shown) Who() string { return approval.Names(&s.Asked) }

// What is the requester's own text, or what they ask to open.
func (s *shown) What() string {
	switch {
	case s.Kind == approval.KindStatement:
		return s.Text
	case s.ForSec > 0:
		return "open " + s.Connection + " for " + (time.Duration(s.ForSec) * time.Second).String()
	default:
		return "open " + s.Connection + " once"
	}
}

// Rows words how much it would touch.
func (s *shown) Rows() string {
	switch v := s.Preview; {
	case v == nil:
		return ""
	case v.ExactRows != nil:
		return fmt.Sprintf("%d rows, counted", *v.ExactRows)
	case v.EstimatedRows > 0:
		return fmt.Sprintf("about %.0f rows, by the planner", v.EstimatedRows)
	default:
		return v.Problem
	}
}

// Value words a parameter.
func (s *shown) Value(p recorder.Param) string {
	if p.Null {
		return "NULL"
	}
	return strconv.Quote(p.Value)
}

// Number counts parameters as PostgreSQL does.
func (s *shown) Number(i int) string { return "$" + strconv.Itoa(i+1) }
