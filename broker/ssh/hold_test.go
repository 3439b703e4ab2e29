package ssh

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hoop/broker"
	"hoop/broker/approval"
	"hoop/broker/store"
	"hoop/policy"
	"hoop/recorder"
)

// holding is a world in which some actions wait for people.
type holding struct {
	*world
	desk *approval.Desk
}

// asking has people asked for verbs, and allows all else.
func asking(verbs ...string) policy.Document {
	return policy.Document{Rules: []policy.RuleSpec{
		{Name: "ask", Actions: verbs, Effect: "require_approval", Reason: "it is production", Approval: &policy.ApprovalSpec{Groups: []string{"approver"}}},
		{Name: "all", Effect: "allow"},
	}}
}

func newHolding(t testing.TB, doc policy.Document) *holding {
	t.Helper()
	h := &holding{world: newWorld(t, doc)}
	st, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.desk, err = approval.New(t.Context(), approval.Config{State: st, Recorder: &h.events, Policy: func() *policy.Policy { return h.policy.Load() }})
	if err != nil {
		t.Fatal(err)
	}
	h.deps.Approvals = h.desk
	t.Cleanup(func() { h.desk.Close(); _ = st.Close() }) // after the sessions: cleanups run backwards
	return h
}

// waiting gives the approval that somebody waits for.
func (h *holding) waiting() approval.Approval {
	h.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if all, _ := h.desk.List(h.t.Context(), approval.Pending); len(all) == 1 {
			return all[0]
		}
	}
	h.t.Fatalf("no approval was asked for\n%s", h.log.String())
	return approval.Approval{}
}

// answer answers as bob.
func (h *holding) answer(a approval.Approval, decision string) {
	h.t.Helper()
	pub, key, _ := ed25519.GenerateKey(nil)
	p := policy.Principal{ID: "test|bob", Name: "bob", Kind: policy.Person, Groups: []string{"approver"}}
	said := approval.Answer{Decision: decision, Comment: "as I said"}
	said.Signature = ed25519.Sign(key, said.Message(a.ID, a.Signs))
	_, err := h.desk.Answer(context.Background(), a.ID, a.Signs, &approval.Approver{Principal: p, Chain: policy.Chain{{ID: p.ID, Name: p.Name, Kind: p.Kind}}, Key: pub}, said)
	if err != nil {
		h.t.Error(err)
	}
}

// meanwhile runs something while f answers what it waits for.
func (h *holding) meanwhile(f func(approval.Approval), held func() result) result {
	h.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(h.waiting())
	}()
	got := held()
	<-done
	return got
}

// held runs ssh while f answers what it waits for.
func (h *holding) held(f func(approval.Approval), config string, args ...string) result {
	h.t.Helper()
	return h.meanwhile(f, func() result { return h.ssh(config, args...) })
}

func TestACommandWaitsForItsApproval(t *testing.T) {
	h := newHolding(t, asking(policy.SSHExec))
	config := h.listen()
	got := h.held(func(a approval.Approval) {
		want := []string{"login=" + shared.server.User}
		if a.Text != "echo ran; exit 3" || !slices.Equal(a.Settings, want) || len(a.Objects) != 1 || !strings.HasPrefix(a.Objects[0], "host key SHA256:") {
			t.Errorf("asked for %+v", a.Request)
		}
		h.answer(a, approval.Approve)
	}, config, "echo ran; exit 3")
	if got.out != "ran\n" || got.code != 3 || !strings.Contains(got.err, "waits for an approval: rule \"ask\": it is production") {
		t.Errorf("approved: %+v", got)
	}
	got = h.held(func(a approval.Approval) { h.answer(a, approval.Deny) }, config, "echo ran")
	if got.out != "" || got.code != exitDenied || !strings.Contains(got.err, "as I said") {
		t.Errorf("denied: %+v", got)
	}
}

func TestAnApprovedCommandIsAllThatItsCertificateRuns(t *testing.T) {
	h := newHolding(t, asking(policy.SSHExec))
	h.secret.Store(&broker.Secret{User: shared.server.User, Kind: broker.SSHCA})
	before := len(shared.server.Log())
	t.Setenv("HOOP_TEST_ONE", "1")
	config := h.listen()
	got := h.held(func(a approval.Approval) { h.answer(a, approval.Approve) },
		config, "-tt", "-o", "SendEnv=HOOP_TEST_*", "echo $HOOP_TEST_ONE; tty > /dev/null; echo $?")
	if !strings.HasPrefix(got.out, "1\r\n0\r\n") || got.code != 0 {
		t.Errorf("%+v", got)
	}
	log := shared.server.Log()[before:]
	if !strings.Contains(log, "Starting session: forced-command (key-option) 'echo $HOOP_TEST_ONE; tty") {
		t.Errorf("not forced:\n%s", log)
	}
	if !strings.Contains(log, "alice › bot via web-1") && !strings.Contains(log, `alice \342\200\272 bot via web-1`) {
		t.Errorf("the chain is not in the target's log:\n%s", log)
	}
}

func TestOpeningWaitsForAnApproval(t *testing.T) {
	h := newHolding(t, asking("session.open"))
	config := h.listen()
	got := h.held(func(a approval.Approval) { h.answer(a, approval.Approve) }, config, "echo in")
	if got.out != "in\n" || !strings.Contains(got.err, "opening web-1 waits for an approval") {
		t.Errorf("approved: %+v", got)
	}
	got = h.held(func(a approval.Approval) { h.answer(a, approval.Deny) }, config, "echo in")
	if got.code != 255 || got.out != "" || !strings.Contains(got.err, "as I said") || !strings.Contains(got.err, "Permission denied") {
		t.Errorf("denied: %+v", got)
	}
}

// Whoever leaves wants no answer any more.
func TestLeavingWithdraws(t *testing.T) {
	for _, verb := range []string{"session.open", policy.SSHExec, policy.SSHForwardLocal} {
		t.Run(verb, func(t *testing.T) {
			h := newHolding(t, asking(verb))
			args := []string{"-F", h.listen(), "web-1.hoop", "echo ran"}
			if verb == policy.SSHForwardLocal {
				args = append([]string{"-W", "127.0.0.1:1"}, args[:3]...)
			}
			cmd := exec.Command("ssh", args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			a := h.waiting()
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			h.gone(a)
		})
	}
}

// gone waits until an approval was withdrawn.
func (h *holding) gone(a approval.Approval) {
	h.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		now, err := h.desk.Get(h.t.Context(), a.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		if now.State == approval.Cancelled {
			return
		}
	}
	h.t.Error("the approval still waits")
}

// On a terminal Ctrl-C is a byte, since ssh has set it to raw.
func TestControlCWithdraws(t *testing.T) {
	h := newHolding(t, asking(policy.SSHExec))
	cmd := exec.Command("ssh", "-tt", "-F", h.listen(), "web-1.hoop", "echo ran")
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := h.waiting()
	_, _ = io.WriteString(keys, "\x03")
	_ = cmd.Wait()
	h.gone(a)
	if code := cmd.ProcessState.ExitCode(); code != exitWithdrawn {
		t.Errorf("exit status %d\n%s", code, errs.String())
	}
}

// Other commands of the same connection go on while one waits.
func TestWaitingHoldsUpNothingElse(t *testing.T) {
	h := newHolding(t, policy.Document{Rules: []policy.RuleSpec{
		{Name: "ask", Actions: []string{policy.SSHForwardLocal, policy.SSHShell}, Effect: "require_approval", Approval: &policy.ApprovalSpec{Groups: []string{"approver"}}},
		{Name: "all", Effect: "allow"},
	}})
	config := h.listen()
	h.master(config)
	cmd := exec.Command("ssh", "-T", "-F", config, "web-1.hoop")
	cmd.Stdin = strings.NewReader("echo in a shell")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := h.waiting()
	if got := h.ssh(config, "echo meanwhile"); got.out != "meanwhile\n" {
		t.Errorf("%+v", got)
	}
	h.answer(a, approval.Approve)
	_ = cmd.Wait()
	if !strings.HasSuffix(out.String(), "in a shell\n") || !strings.Contains(errs.String(), "waits for an approval") {
		t.Errorf("%q %q", out.String(), errs.String())
	}
	if n := len(h.events.of(recorder.SessionOpened)); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// master starts a connection that further clients share.
func (w *world) master(config string) {
	w.t.Helper()
	w.background("-F", config, "-M", "-N", "web-1.hoop")
	for range 200 {
		if got := w.run(nil, "ssh", "-F", config, "-O", "check", "web-1.hoop"); got.code == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Fatal("the master did not start")
}

func TestForwardsAndFilesWaitToo(t *testing.T) {
	h := newHolding(t, asking(policy.SSHForwardLocal, policy.SSHForwardRemote, policy.SSHSFTPWrite))
	config := h.listen()
	echo, remote := echoServer(t), freePort(t)
	agree := func(a approval.Approval) { h.answer(a, approval.Approve) }
	got := h.meanwhile(agree, func() result {
		return h.run([]byte("through"), "ssh", "-F", config, "-W", fmt.Sprintf("127.0.0.1:%d", echo), "web-1.hoop")
	})
	if got.out != "hello through" {
		t.Errorf("-W: %+v", got)
	}
	go func() { agree(h.waiting()) }()
	h.background("-F", config, "-R", fmt.Sprintf("%d:127.0.0.1:%d", remote, echo), "web-1.hoop", "sleep 60")
	if got := talk(t, "tcp", fmt.Sprintf("127.0.0.1:%d", remote), "back"); got != "hello back" {
		t.Errorf("-R: %q", got)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	got = h.meanwhile(agree, func() result {
		return h.run(nil, "scp", "-F", config, dir+"/a", "web-1.hoop:"+dir+"/b")
	})
	if text, _ := os.ReadFile(filepath.Join(dir, "b")); got.code != 0 || string(text) != "content" || !strings.Contains(got.err, "waits for an approval") {
		t.Errorf("scp: %+v, %q", got, text)
	}
}

// A policy that is reloaded counts from the next action on, and for one that
// waits.
func TestAReloadedPolicyCountsAtOnce(t *testing.T) {
	h := newHolding(t, asking(policy.SSHExec))
	config := h.listen()
	h.master(config)
	none := asking(policy.SSHExec)
	none.Rules = append([]policy.RuleSpec{{Name: "none", Effect: "deny", Actions: []string{policy.SSHExec}}}, none.Rules...)
	got := h.held(func(a approval.Approval) {
		h.rule(none)
		h.answer(a, approval.Approve)
	}, config, "echo ran")
	if got.out != "" || got.code != exitDenied || !strings.Contains(got.err, "the policy in force now denies it") {
		t.Errorf("held: %+v", got)
	}
	if got := h.ssh(config, "echo ran"); got.out != "" || got.code != exitDenied {
		t.Errorf("next: %+v", got)
	}
	h.rule()
	if got := h.ssh(config, "echo ran"); got.out != "ran\n" {
		t.Errorf("allowed again: %+v", got)
	}
	if n := len(h.events.of(recorder.SessionOpened)); n != 1 {
		t.Errorf("%d sessions", n)
	}
}
