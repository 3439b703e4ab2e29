package ssh

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"hoop/broker"
	"hoop/policy"
	"hoop/recorder"
	"hoop/recorder/recording"
)

// casts gives what the recordings of the latest session tell, each as its
// events a line.
func (w *world) casts() []string {
	w.t.Helper()
	entries, err := w.deps.Recordings.List()
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		f, err := w.deps.Recordings.Open(e.Session, e.Action)
		if err != nil {
			w.t.Fatal(err)
		}
		defer f.Close()
		r, err := recording.NewReader(f)
		if err != nil {
			w.t.Fatal(err)
		}
		text := fmt.Sprintf("%s %dx%d\n", r.Header.Command, r.Header.Cols, r.Header.Rows)
		for {
			ev, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				w.t.Fatal(err)
			}
			text += string(ev.Code) + " " + ev.Data + "\n"
		}
		out = append(out, text)
	}
	return out
}

// ended waits until n actions were finished, since their records come after the
// client's last byte.
func (w *world) ended(n int) []recorder.Event {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if evs := w.events.of(recorder.ActionFinished); len(evs) >= n {
			return evs
		}
	}
	w.t.Fatalf("%d actions were not finished", n)
	return nil
}

func TestWhatIsShownIsRecorded(t *testing.T) {
	w := newWorld(t)
	config := w.listen()
	w.ssh(config, "echo out; echo err >&2; exit 7")
	w.ssh(config, "-tt", "echo on a terminal")
	finished := w.ended(2)
	casts := w.casts()
	if len(casts) != 2 {
		t.Fatalf("%d recordings", len(casts))
	}
	slices.Sort(casts)
	for i, want := range []string{"echo on a terminal", "o out"} {
		if !strings.Contains(casts[i], want) {
			t.Errorf("no %q in\n%s", want, casts[i])
		}
	}
	for _, want := range []string{"err", "x 7"} {
		if !strings.Contains(casts[1], want) {
			t.Errorf("no %q in\n%s", want, casts[1])
		}
	}
	if ev := finished[0]; ev.Outcome != "error" || ev.Code != "7" || ev.Bytes != int64(len("out\nerr\n")) {
		t.Errorf("recorded %+v", ev)
	}
}

func TestNothingRunsUnrecorded(t *testing.T) {
	w := newWorld(t)
	w.deps.Recordings = nil
	before := len(shared.server.Log())
	got := w.ssh(w.listen(), "echo ran")
	if got.code != 255 || got.out != "" || !strings.Contains(got.err, "recording is unavailable") {
		t.Errorf("%+v", got)
	}
	if log := shared.server.Log()[before:]; strings.Contains(log, "Starting session: command") {
		t.Errorf("it ran:\n%s", log)
	}
}

func detecting(unmask ...string) policy.Document {
	return policy.Document{
		Rules:     []policy.RuleSpec{{Name: "all", Effect: "allow", Unmask: unmask}},
		Detectors: []policy.DetectorSpec{{Classes: []string{"credit_card"}}},
	}
}

const card = "4111 1111 1111 1111"

func TestOutputIsMasked(t *testing.T) {
	w := newWorld(t, detecting())
	config := w.listen()
	got := w.ssh(config, "printf '4111 1111 '; sleep 0.3; echo 1111 1111; echo "+card+" >&2; printf 'no newline: '; exit 2")
	if strings.Contains(got.out+got.err, "1111 1111") || got.code != 2 || !strings.HasSuffix(got.out, "no newline: ") {
		t.Errorf("%+v", got)
	}
	got = w.ssh(config, "-tt", "echo "+card)
	if strings.Contains(got.out, "1111 1111") || got.code != 0 {
		t.Errorf("terminal: %+v", got)
	}
	for _, c := range w.casts() {
		if _, events, _ := strings.Cut(c, "\n"); strings.Contains(events, "1111 1111") {
			t.Errorf("recorded:\n%s", c)
		}
	}
	if ev := w.ended(2)[0]; ev.Masked["credit_card"] != 2 {
		t.Errorf("masked %v", ev.Masked)
	}
	got = w.ssh(config, "printf 'a\\000b'; sleep 5; echo after")
	if got.out != "" || got.code != exitDenied || !strings.Contains(got.err, "unmask") {
		t.Errorf("binary: %+v", got)
	}
	got = w.ssh(config, "rsync --server --sender . /etc")
	if got.out != "" || got.code != exitDenied || !strings.Contains(got.err, "unmask") {
		t.Errorf("rsync: %+v", got)
	}
	w.rule(detecting("*"))
	if got = w.ssh(config, "echo "+card+"; printf 'a\\000b'"); got.out != card+"\na\x00b" {
		t.Errorf("unmasked: %+v", got)
	}
}

func TestARevokedSessionEndsAtOnceAndSaysWhy(t *testing.T) {
	w := newWorld(t)
	config := w.listen()
	cmd := exec.Command("ssh", "-F", config, "web-1.hoop", "echo begun; sleep 60")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(out, make([]byte, len("begun\n")))
	w.end(errors.New("the session was revoked: for a test"))
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 255 || !strings.Contains(errs.String(), "hoop: the session was revoked: for a test") {
		t.Errorf("exit status %d: %s", code, errs.String())
	}
	if ev := w.ended(1)[0]; ev.Outcome != "lost" {
		t.Errorf("outcome %q", ev.Outcome)
	}
}

func TestATargetThatCannotBeReachedIsTold(t *testing.T) {
	for name, spoil := range map[string]func(*world){
		"down": func(w *world) { w.leads(func(t *broker.Target) { t.Port = freePort(w.t) }) },
		"host key": func(w *world) {
			w.leads(func(t *broker.Target) { t.SSH.HostKeys = []string{shared.authority.UserCA()} })
		},
		"login": func(w *world) { w.holds(func(s *broker.Secret) { s.User = "nobody-there" }) },
		"key":   func(w *world) { w.holds(func(s *broker.Secret) { s.PrivateKey = []byte("none") }) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			spoil(w)
			config := w.listen()
			got := w.ssh(config, "echo ran")
			if got.out != "" || got.code != 255 || !strings.Contains(got.err, "hoop: ") {
				t.Errorf("%+v", got)
			}
			if got := w.run(nil, "ssh", "-F", config, "-W", "127.0.0.1:1", "web-1.hoop"); got.code != 255 || !strings.Contains(got.err, "hoop: ") {
				t.Errorf("-W: %+v", got)
			}
		})
	}
}

// A shared connection whose target is gone does not stay for who comes later.
func TestATargetThatComesBackIsReached(t *testing.T) {
	w := newWorld(t)
	w.leads(func(t *broker.Target) { t.Port = freePort(w.t) })
	config := w.listen()
	w.master(config)
	if got := w.ssh(config, "echo ran"); got.code != 255 || !strings.Contains(got.err, "hoop: ") {
		t.Errorf("%+v", got)
	}
	w.leads(func(t *broker.Target) { t.Port = shared.server.Port })
	if got := w.ssh(config, "echo ran"); got.out != "ran\n" {
		t.Errorf("%+v", got)
	}
}

func TestLogins(t *testing.T) {
	w := newWorld(t)
	config := w.listen()
	if got := w.ssh(config, "-l", shared.server.User, "echo in"); got.out != "in\n" {
		t.Errorf("the credential's own: %+v", got)
	}
	got := w.ssh(config, "-l", "daemon", "echo in")
	if got.code != 255 || !strings.Contains(got.err, `login "daemon" is none of those of web-1`) {
		t.Errorf("another: %+v", got)
	}
	w.secret.Store(&broker.Secret{User: "daemon", Kind: broker.SSHCA})
	w.leads(func(t *broker.Target) { t.SSH.Logins = []string{shared.server.User} })
	if got := w.ssh(config, "-l", shared.server.User, "echo in"); got.out != "in\n" {
		t.Errorf("allowed: %+v", got)
	}
	w.leads(func(t *broker.Target) {
		t.SSH = broker.TargetSSH{HostCAs: []string{shared.server.HostCA}, Logins: []string{"*"}}
	})
	if got := w.ssh(config, "-l", shared.server.User, "echo in"); got.out != "in\n" {
		t.Errorf("host CA: %+v", got)
	}
}
