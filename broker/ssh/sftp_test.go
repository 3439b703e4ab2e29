package ssh

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hoop/policy"
	"hoop/recorder"
)

func TestFilesAreCopiedAndRecorded(t *testing.T) {
	w := newWorld(t)
	config := w.listen()
	dir := t.TempDir()
	data := make([]byte, 3<<20)
	_, _ = rand.Read(data)
	from, there, back := filepath.Join(dir, "from"), filepath.Join(dir, "there"), filepath.Join(dir, "back")
	if err := os.WriteFile(from, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := w.run(nil, "scp", "-F", config, from, "web-1.hoop:"+there); got.code != 0 {
		t.Fatalf("up: %+v", got)
	}
	if got := w.run(nil, "scp", "-F", config, "web-1.hoop:"+there, back); got.code != 0 {
		t.Fatalf("down: %+v", got)
	}
	got, err := os.ReadFile(back)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("it came back different: %v", err)
	}
	sum := sha256.Sum256(data)
	want := map[string]bool{policy.SSHSFTPWrite: true, policy.SSHSFTPRead: true}
	for _, ev := range w.events.of(recorder.ActionFinished) {
		if want[ev.Verb] && ev.SHA256 == hex.EncodeToString(sum[:]) && ev.Bytes == int64(len(data)) {
			delete(want, ev.Verb)
		}
	}
	if len(want) > 0 {
		t.Errorf("no record of %v in %+v", want, w.events.of(recorder.ActionFinished))
	}
}

func TestOneRefusedOperationLeavesTheOthers(t *testing.T) {
	w := newWorld(t, policy.Document{Rules: []policy.RuleSpec{
		{Name: "no writing", Effect: "deny", Actions: []string{policy.SSHSFTPWrite}, Reason: "files stay"},
		{Name: "all", Effect: "allow"},
	}})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := w.run([]byte("-put "+dir+"/a "+dir+"/b\nget "+dir+"/a "+dir+"/c\n"), "sftp", "-b", "-", "-F", w.listen(), "web-1.hoop")
	if got.code != 0 || !strings.Contains(got.err, "ermission denied") {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "b")); err == nil {
		t.Error("it was written")
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "c")); string(text) != "content" {
		t.Errorf("read %q", text)
	}
}

// A link is judged by where it leads, and by its name.
func TestLinksDodgeNoRule(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	secret, open := filepath.Join(dir, "secret"), filepath.Join(dir, "open")
	w := newWorld(t, policy.Document{Rules: []policy.RuleSpec{
		{Name: "secret", Effect: "deny", Actions: []string{policy.SSHSFTPWrite, policy.SSHSFTPRead}, SSH: &policy.SSHSpec{Paths: []string{secret + "/*"}}},
		{Name: "all", Effect: "allow"},
	}})
	for _, f := range []func() error{
		func() error { return os.Mkdir(secret, 0o700) }, func() error { return os.Mkdir(open, 0o700) },
		func() error { return os.Symlink(secret, filepath.Join(open, "in")) },
		func() error { return os.Symlink(open, filepath.Join(secret, "out")) },
		func() error { return os.WriteFile(filepath.Join(open, "a"), []byte("content"), 0o600) },
		func() error { return os.WriteFile(filepath.Join(secret, "s"), []byte("hidden"), 0o600) },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	config := w.listen()
	for _, to := range []string{open + "/in/b", open + "/in/../secret/b", secret + "/b", secret + "/out/b"} {
		if got := w.run(nil, "scp", "-F", config, open+"/a", "web-1.hoop:"+to); got.code == 0 || !strings.Contains(got.err, "ermission denied") {
			t.Errorf("%s: %+v", to, got)
		}
		if _, err := os.Stat(filepath.Clean(to)); err == nil {
			t.Errorf("%s was written", to)
		}
	}
	if got := w.run(nil, "scp", "-F", config, "web-1.hoop:"+open+"/in/s", dir+"/stolen"); got.code == 0 {
		t.Errorf("read: %+v", got)
	}
	if got := w.run(nil, "scp", "-F", config, open+"/a", "web-1.hoop:"+open+"/b"); got.code != 0 {
		t.Errorf("allowed: %+v", got)
	}
}
