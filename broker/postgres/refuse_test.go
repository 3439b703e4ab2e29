package postgres

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"hoop/broker"
)

// refuser listens and refuses every client.
func refuser(t *testing.T, d *broker.Denial) (dir string) {
	t.Helper()
	dir = t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.1"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = New(Options{}).Refuse(c, d)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return dir
}

func TestRefuse(t *testing.T) {
	for code, sqlstate := range map[string]string{
		broker.CodeDenied: "28000", broker.CodeUnauthenticated: "28000", broker.CodeApprovalRequired: "28000",
		broker.CodeUnavailable: "08006", broker.CodeNotFound: "3D000", "": "28000",
	} {
		dir := refuser(t, &broker.Denial{Code: code, Message: "not today", Hint: "sign in again", Rule: "night"})
		at := "host=" + dir + " port=1 user=x dbname=y"
		out, err := psql(t, at, "select 1")
		if err == nil || !strings.Contains(out, "FATAL:  not today (rule night)") || !strings.Contains(out, "HINT:  sign in again") {
			t.Errorf("%s: psql printed %q", code, out)
		}
		c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL.1"))
		if err != nil {
			t.Fatal(err)
		}
		msgs := rawStartup(t, c, protocol30, "user", "x")
		if len(msgs) != 1 || !strings.Contains(string(msgs[0].body), "C"+sqlstate+"\x00") {
			t.Errorf("%s: got %q", code, msgs)
		}
		c.Close()
	}
}

func TestRefuseLeavesCancelRequestsUnanswered(t *testing.T) {
	c, err := net.Dial("unix", filepath.Join(refuser(t, &broker.Denial{}), ".s.PGSQL.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(cancelPacket(1, []byte("1234"))); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || len(got) > 0 {
		t.Errorf("answered %q, %v", got, err)
	}
}
