package enginetest

import (
	"encoding/json"
	"strings"

	"github.com/google/go-cmp/cmp"

	"hoop/recorder"
)

// check looks at what a whole case left behind: it holds after every case,
// whatever happened in it.
func (s *stage) check() {
	s.t.Helper()
	events := s.events()
	s.checkSecrets(events)
	s.checkChains(events)
	if strings.Contains(s.engineLog.String(), "panic") {
		s.t.Errorf("the engine panicked:\n%s", s.engineLog.String())
	}
	if !s.rec.broken() {
		s.checkEnds(events)
	}
}

// checkSecrets looks for the target's credential where nobody may see it.
func (s *stage) checkSecrets(events []recorder.Event) {
	s.t.Helper()
	onFile, err := json.Marshal(events)
	if err != nil {
		s.t.Fatal(err)
	}
	places := map[string]string{"a client": s.seen.String(), "the engine's log": s.engineLog.String(), "the audit log": string(onFile),
		"a recording": s.recorded()}
	for _, hidden := range s.world.Target.Hidden {
		for place, text := range places {
			if strings.Contains(text, hidden) {
				s.t.Errorf("%s has a part of the credential", place)
			}
		}
	}
}

// checkChains wants the whole chain in each event of a session that the
// session wrote; answers are signed by who gave them.
func (s *stage) checkChains(events []recorder.Event) {
	s.t.Helper()
	want := alice()
	for i := range events {
		ev := &events[i]
		if ev.Session == "" || ev.Type == recorder.ApprovalAnswered || ev.Type == recorder.ApprovalEnded {
			continue
		}
		if ev.Principal == nil || ev.Principal.ID != want.Principal.ID || cmp.Diff(want.Chain, ev.Chain) != "" || ev.Client != want.Client || ev.Connection != connection {
			s.t.Errorf("event %d (%s) is of %v, chain %q", ev.Index, ev.Type, ev.Principal, ev.Chain)
		}
		if ev.Type == recorder.ActionDecided && (ev.Verdict == nil || ev.Verb == "" || ev.Digest == "") {
			s.t.Errorf("event %d decides without verdict, verb or digest", ev.Index)
		}
	}
}

// checkEnds wants one end for each action that was let through, and for each
// session that was opened.
func (s *stage) checkEnds(events []recorder.Event) {
	s.t.Helper()
	type action struct {
		session string
		number  uint64
	}
	let, ended := map[action]int{}, map[action]int{}
	opened, closed := map[string]int{}, map[string]int{}
	for i := range events {
		ev := &events[i]
		at := action{ev.Session, ev.Action}
		switch {
		case ev.Type == recorder.SessionOpened:
			opened[ev.Session]++
		case ev.Type == recorder.SessionClosed:
			closed[ev.Session]++
		case ev.Type == recorder.ActionFinished:
			ended[at]++
		case ev.Type == recorder.ActionDecided && ev.Outcome != "denied":
			let[at]++
		}
	}
	if d := cmp.Diff(opened, closed); d != "" {
		s.t.Errorf("sessions that were opened and closed (-opened +closed):\n%s", d)
	}
	for at, n := range let {
		if n != 1 || ended[at] != 1 {
			s.t.Errorf("action %d of session %s was let through %d times and ended %d times", at.number, at.session, n, ended[at])
		}
	}
	for at := range ended {
		if let[at] == 0 {
			s.t.Errorf("action %d of session %s ended but was never let through", at.number, at.session)
		}
	}
}
