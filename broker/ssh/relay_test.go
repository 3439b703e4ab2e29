package ssh

import (
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"hoop/policy"
	"hoop/recorder"
)

func TestCommandsEndAsTheyDid(t *testing.T) {
	w := newWorld(t)
	config := w.listen()
	for _, c := range []struct {
		command string
		want    result
	}{
		{"echo hi", result{"hi\n", "", 0}},
		{"echo out; echo err >&2; exit 7", result{"out\n", "err\n", 7}},
		{"kill -9 $$", result{"", "", 255}},
		{"exec >&- 2>&-; exit 3", result{"", "", 3}},
	} {
		got := w.ssh(config, c.command)
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.command, got, c.want)
		}
	}
	if got := w.run([]byte("one\ntwo\n"), "ssh", "-F", config, "web-1.hoop", "cat; exit 4"); got != (result{"one\ntwo\n", "", 4}) {
		t.Errorf("cat: %+v", got)
	}
	if got := w.run([]byte("echo in a shell; exit 5\n"), "ssh", "-T", "-F", config, "web-1.hoop"); got.code != 5 || !strings.HasSuffix(got.out, "in a shell\n") {
		t.Errorf("shell: %+v", got)
	}
	if got := w.ssh(config, "-tt", "tty >/dev/null && stty size; exit 6"); got.code != 6 || !strings.HasPrefix(got.out, "24 80\r\n") {
		t.Errorf("-tt: %+v", got)
	}
}

func TestARefusedCommandSaysWhy(t *testing.T) {
	w := newWorld(t, policy.Document{Rules: []policy.RuleSpec{
		{Name: "open", Effect: "allow", Actions: []string{"session.open"}},
	}})
	got := w.ssh(w.listen(), "id")
	if got.code != exitDenied || got.out != "" || !strings.Contains(got.err, "hoop: command denied by policy") {
		t.Errorf("%+v", got)
	}
	if evs := w.events.of(recorder.ActionFinished); len(evs) != 0 {
		t.Errorf("something ran: %+v", evs)
	}
}

// What is typed before the program runs reaches it although nothing follows.
func TestEarlyInputWaitsForTheProgram(t *testing.T) {
	w := newWorld(t)
	cmd := exec.Command("ssh", "-F", w.listen(), "web-1.hoop", "read x; echo got $x")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	_, _ = io.WriteString(in, "early\n")
	done := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer done.Stop()
	if out, err := cmd.Output(); string(out) != "got early\n" {
		t.Errorf("%q, %v", out, err)
	}
}
