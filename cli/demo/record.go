package demo

import (
	"strings"

	"hoop/cli/serve"
	"hoop/recorder"
)

// sessionWith finds, in the audit log itself, the latest session that tried a
// statement. It gives a word that no session has where there is none.
func (w *World) sessionWith(statement string) string {
	found := "none"
	err := recorder.Scan(serve.AuditDir(w.Broker.Config()), 0, func(ev *recorder.Event) error {
		if ev.Type == recorder.ActionDecided && strings.HasPrefix(ev.Text, statement) {
			found = ev.Session
		}
		return nil
	})
	if err != nil {
		return "none"
	}
	return found
}

// pending finds, in the audit log itself, an approval that was asked for and
// has not ended; "" for none.
func (w *World) pending() string {
	found := ""
	err := recorder.Scan(serve.AuditDir(w.Broker.Config()), 0, func(ev *recorder.Event) error {
		switch {
		case ev.Type == recorder.ApprovalRequested:
			found = ev.Approval.ID
		case ev.Type == recorder.ApprovalEnded && ev.Approval.ID == found:
			found = ""
		}
		return nil
	})
	if err != nil {
		return ""
	}
	return found
}
