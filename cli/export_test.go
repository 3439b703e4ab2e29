package cli

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hoop/broker/api"
	"hoop/recorder"
)

// recordedSession is a session of alice whose recording holds what a bash
// showed. before is called while there is none.
func recordedSession(t *testing.T, before func(id string)) (id, cast string) {
	t.Helper()
	hoop(t, asAlice(t), "connect", "demo-pg", "--", "psql", "-XAtc", "select 'a session to export'").must(t, 0)
	var found []api.Session
	list := hoop(t, asAlice(t), "sessions", "list", "--connection", "demo-pg", "--limit", "1", "-o", "json").must(t, 0)
	if err := json.Unmarshal([]byte(list.stdout), &found); err != nil || len(found) != 1 {
		t.Fatalf("%d sessions, %v", len(found), err)
	}
	f, err := os.Open("../testdata/casts/marks.cast.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	id = found[0].ID
	before(id)
	placeCast(t, id+".1.cast", data)
	return id, string(data)
}

func placeCast(t *testing.T, name string, data []byte) {
	t.Helper()
	cfg := world(t).Broker.Config()
	dir := filepath.Join(cfg.Abs(cfg.DataDir), "recordings")
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestExport: a recording is read through the broker, in every format, by its
// owner and by an auditor, and by nobody else; who read it stands in the log.
func TestExport(t *testing.T) {
	t.Parallel()
	w := world(t)
	bob := clientEnv(filepath.Join(w.Dir, "bob")) // may read what others did
	id, cast := recordedSession(t, func(id string) {
		if got := hoop(t, bob, "sessions", "export", id).must(t, 5); !strings.Contains(got.stderr, "has no recording") {
			t.Errorf("a session without a terminal: %s", got.stderr)
		}
	})
	for _, env := range [][]string{asAlice(t), bob} {
		if got := hoop(t, env, "sessions", "export", id).must(t, 0); got.stdout != cast {
			t.Errorf("the export differs from the recording: %d bytes of %d", len(got.stdout), len(cast))
		}
	}
	if got := hoop(t, bob, "sessions", "export", id[:12], "--action", "1", "--format", "txt").must(t, 0); !strings.HasPrefix(got.stdout, "web-1 # echo hello\nhello\n") {
		t.Errorf("as text it is %q", got.stdout)
	}
	if got := hoop(t, bob, "sessions", "export", id, "--format", "cast2").must(t, 0); !strings.HasPrefix(got.stdout, `{"version":2,"width":80,`) {
		t.Errorf("in version 2 it is %q", got.stdout)
	}
	if got := hoop(t, bob, "sessions", "export", id, "--format", "json").must(t, 0); !json.Valid([]byte(got.stdout)) {
		t.Errorf("as JSON it is %q", got.stdout)
	}
	file := filepath.Join(t.TempDir(), "a.cast")
	hoop(t, bob, "sessions", "export", id, "--file", file).must(t, 0)
	if data, err := os.ReadFile(file); err != nil || string(data) != cast {
		t.Errorf("the file differs: %v", err)
	}
	if got := hoop(t, bob, "sessions", "export", id, "--file", file).must(t, 1); !strings.Contains(got.stderr, "exists") {
		t.Errorf("writing over a file: %s", got.stderr)
	}

	if got := hoop(t, clientEnv(filepath.Join(w.Dir, "mallory")), "sessions", "export", id).must(t, 5); got.stdout != "" || !strings.Contains(got.stderr, "there is no session") {
		t.Errorf("mallory was told %q, %q", got.stdout, got.stderr)
	}
	if got := hoop(t, bob, "sessions", "export", id, "--format", "gif").must(t, 2); !strings.Contains(got.stderr, "cast, cast2, txt, json") {
		t.Errorf("an unknown format: %s", got.stderr)
	}
	if got := hoop(t, bob, "sessions", "export", id, "--action", "9").must(t, 5); !strings.Contains(got.stderr, "no recording of action 9") {
		t.Errorf("an action without a recording: %s", got.stderr)
	}
	placeCast(t, id+".4.cast", []byte(strings.Replace(cast, `"title"`, `"command":"make test","title"`, 1)))
	if got := hoop(t, bob, "sessions", "export", id).must(t, 2); !strings.Contains(got.stderr, "1 (ssh.shell), 4 (make test)") {
		t.Errorf("two recordings: %s", got.stderr)
	}
	readers := map[string]int{}
	err := recorder.Scan(filepath.Join(w.Broker.Config().Abs(w.Broker.Config().DataDir), "audit"), 0, func(ev *recorder.Event) error {
		if ev.Type == recorder.RecordingRead && ev.Session == id {
			readers[ev.Principal.Name]++
		}
		return nil
	})
	if err != nil || readers["alice@demo.example"] != 1 || readers["bob@demo.example"] != 6 || len(readers) != 2 {
		t.Errorf("the log says who read it: %v, %v", readers, err)
	}
}
