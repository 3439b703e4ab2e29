package sftp

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoop/policy"
)

// TestDeniedNeverReachesTheServer tries every way to a file that rules deny.
func TestDeniedNeverReachesTheServer(t *testing.T) {
	dir := home(t)
	previous := filepath.Join(dir, "app")
	for n := range 25 { // more links than the server follows, fewer than Linux does
		link := filepath.Join(dir, fmt.Sprintf("chain%d", n))
		if n == 0 {
			previous = filepath.Join(dir, "denied")
		}
		if err := os.Symlink(previous, link); err != nil {
			t.Fatal(err)
		}
		previous = link
	}
	no := uint32(0)
	p := func(s string) string { return filepath.Join(dir, "app") + "/" + s }
	cases := []struct {
		name   string
		kind   byte
		fields []any
	}{
		{"read", fxpOpen, []any{dir + "/denied/secret", uint32(flagRead), no}},
		{"dots", fxpOpen, []any{p("../denied/./secret"), uint32(flagRead), no}},
		{"doubled slashes", fxpOpen, []any{dir + "//denied///secret", uint32(flagRead), no}},
		{"a link to the file", fxpOpen, []any{p("link"), uint32(flagRead), no}},
		{"a link to the folder", fxpOpen, []any{p("out/secret"), uint32(flagRead), no}},
		{"a folder's link and dots", fxpOpen, []any{p("out/../denied/secret"), uint32(flagRead), no}},
		{"25 links", fxpOpen, []any{dir + "/chain24/secret", uint32(flagRead), no}},
		{"a dangling link to write through", fxpOpen, []any{p("new"), uint32(flagWrite | flagCreate), no}},
		{"truncate without write", fxpOpen, []any{p("link"), uint32(flagTruncate), no}},
		{"list", fxpOpendir, []any{p("out")}},
		{"list with a slash", fxpOpendir, []any{p("out/")}},
		{"stat", fxpStat, []any{p("link")}},
		{"lstat with a slash", fxpLstat, []any{p("out/")}},
		{"lstat below", fxpLstat, []any{p("out/secret")}},
		{"mode", fxpSetstat, []any{p("link"), uint32(attrPermissions), uint32(0o777)}},
		{"size", fxpSetstat, []any{p("link"), uint32(attrSize), uint64(0)}},
		{"remove", fxpRemove, []any{p("out/secret")}},
		{"rmdir", fxpRmdir, []any{dir + "/denied"}},
		{"rmdir by dots", fxpRmdir, []any{dir + "/denied/x/.."}},
		{"mkdir", fxpMkdir, []any{p("out/sub"), no}},
		{"rename away", fxpRename, []any{p("out/secret"), p("b")}},
		{"rename there", fxpRename, []any{p("a"), p("out/a")}},
		{"posix-rename there", fxpExtended, []any{"posix-rename@openssh.com", p("a"), dir + "/denied/secret"}},
		{"hard link away", fxpExtended, []any{"hardlink@openssh.com", p("out/secret"), p("b")}},
		{"hard link to a link", fxpExtended, []any{"hardlink@openssh.com", p("link"), p("b")}},
		{"symlink there", fxpSymlink, []any{"../denied/secret", p("b")}},
		{"symlink made there", fxpSymlink, []any{"/", p("out/b")}},
		{"symlink in the draft's order", fxpSymlink, []any{dir + "/denied/b", "x"}},
		{"lsetstat", fxpExtended, []any{"lsetstat@openssh.com", p("out/secret"), uint32(attrPermissions), uint32(0o777)}},
		{"statvfs", fxpExtended, []any{"statvfs@openssh.com", p("link")}},
		{"readlink", fxpReadlink, []any{p("out/secret")}},
	}
	before := snapshot(t, dir)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			peer := dial(t, &judge{})
			code, text := peer.status(c.kind, c.fields...)
			unresolved := c.name == "25 links" && code == StatusNoSuchFile || c.name == "rmdir by dots" && code == StatusNoSuchFile
			if code != StatusPermissionDenied && !unresolved {
				t.Errorf("code %d (%s), want %d", code, text, StatusPermissionDenied)
			}
			if !unresolved && text != "hoop: denied by policy: keep out" {
				t.Errorf("text %q", text)
			}
			for _, f := range peer.spy.frames(t) {
				if f.kind() != fxpInit && f.kind() != fxpRealpath {
					t.Errorf("packet %d reached the server", f.kind())
				}
			}
			// The conversation goes on.
			if f := peer.ask(fxpStat, p("a")); f.kind() != fxpAttrs {
				t.Errorf("the next request was answered with packet %d %q", f.kind(), f.body())
			}
		})
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
}

// snapshot is every file with its mode and content.
func snapshot(t *testing.T, dir string) map[string]string {
	out := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		text := []byte{}
		if info.Mode().IsRegular() {
			text, err = os.ReadFile(path)
		}
		out[path] = fmt.Sprint(info.Mode(), string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWhatIsRecorded transfers a file each way and looks at what is told of it.
func TestWhatIsRecorded(t *testing.T) {
	dir := home(t)
	j := &judge{}
	c := dial(t, j, "-d", filepath.Join(dir, "app"))
	h := c.open("up load", flagWrite|flagCreate|flagTruncate)
	for n, part := range []string{"one", "two"} {
		if code, text := c.status(fxpWrite, h, uint64(n*3), part); code != StatusOK {
			t.Fatal(code, text)
		}
	}
	c.status(fxpClose, h)
	h = c.open("rel", flagRead)
	c.ask(fxpRead, h, uint64(0), uint32(100))
	c.ask(fxpRead, h, uint64(5), uint32(100))
	c.status(fxpClose, h)
	h = c.open("a", flagRead)
	c.ask(fxpRead, h, uint64(3), uint32(2))
	c.ask(fxpRead, h, uint64(0), uint32(2))
	c.status(fxpClose, h)
	c.status(fxpRemove, "nothing")
	c.finished()
	sum := func(s string) string {
		h := sha256.Sum256([]byte(s))
		return hex.EncodeToString(h[:])
	}
	app := filepath.Join(dir, "app")
	want := []entry{
		{Op: Operation{Verb: policy.SSHSFTPWrite, Name: "open", Raw: "up load", Path: app + "/up load", Detail: "write create truncate"},
			Ended: 1, Result: Result{Written: Transfer{Bytes: 6, SHA256: sum("onetwo")}}},
		{Op: Operation{Verb: policy.SSHSFTPRead, Name: "open", Raw: "rel", Path: app + "/a", Named: app + "/rel", Detail: "read"},
			Ended: 1, Result: Result{Read: Transfer{Bytes: 5, SHA256: sum("alpha")}}},
		{Op: Operation{Verb: policy.SSHSFTPRead, Name: "open", Raw: "a", Path: app + "/a", Detail: "read"},
			Ended: 1, Result: Result{Read: Transfer{Bytes: 4, Offset: 3, Partial: true}}},
		{Op: Operation{Verb: policy.SSHSFTPRemove, Name: "remove", Raw: "nothing", Path: app + "/nothing"},
			Ended: 1, Result: Result{Code: StatusNoSuchFile}},
	}
	got := j.list()
	for n := range got {
		if got[n].Result.Duration <= 0 {
			t.Errorf("%s has no duration", got[n].Op.Name)
		}
		if len(got[n].Op.Exact) == 0 {
			t.Errorf("%s has no exact bytes", got[n].Op.Name)
		}
		got[n].Result.Duration, got[n].Op.Exact = 0, nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if text := got[0].Op.Text(); text != `open "up load" write create truncate` {
		t.Errorf("text %s", text)
	}
}

// TestHandles uses files in ways that their opening did not allow.
// While people look at a path that leads to a harmless place, the requester leads
// it to another one.
func TestWhatWasApprovedIsWhereItLeads(t *testing.T) {
	dir := home(t)
	link := filepath.Join(dir, "app", "way")
	lead := func(to string) {
		_ = os.Remove(link)
		if err := os.Symlink(to, link); err != nil {
			t.Error(err)
		}
	}
	to := "../app"
	j := &judge{before: func(op *Operation) { op.Waited = true; lead(to) }}
	c := dial(t, j)
	for _, ask := range []func() (uint32, string){
		func() (uint32, string) { return c.status(fxpOpen, link+"/x", uint32(flagWrite|flagCreate), uint32(0)) },
		func() (uint32, string) {
			return c.status(fxpOpen, link+"/secret", uint32(flagRead|flagWrite|flagCreate), uint32(0))
		},
		func() (uint32, string) { return c.status(fxpRename, dir+"/app/a", link+"/a") },
		func() (uint32, string) { return c.status(fxpMkdir, link+"/x", uint32(0)) },
	} {
		lead("../app")
		to = "../denied"
		if code, text := ask(); code != StatusPermissionDenied || !strings.Contains(text, "leads elsewhere") {
			t.Errorf("status %d: %s", code, text)
		}
	}
	if files, _ := os.ReadDir(dir + "/denied"); len(files) != 1 {
		t.Errorf("%v", files)
	}
	lead("../app")
	to = "../app"
	if code, text := c.status(fxpMkdir, link+"/y", uint32(0)); code != StatusOK {
		t.Errorf("what stayed: status %d: %s", code, text)
	}
	c.finished()
	for _, e := range j.list() {
		if e.Ended != 1 {
			t.Errorf("%s %s ended %d times", e.Op.Verb, e.Op.Path, e.Ended)
		}
	}
}

func TestHandles(t *testing.T) {
	dir := home(t)
	c := dial(t, &judge{}, "-d", filepath.Join(dir, "app"))
	reading, writing := c.open("a", flagRead), c.open("b", flagWrite|flagCreate)
	both := c.open("c", flagRead|flagWrite|flagCreate)
	for _, refused := range []struct {
		name   string
		kind   byte
		fields []any
	}{
		{"an invented handle", fxpRead, []any{"\x00\x00\x00\x09", uint64(0), uint32(9)}},
		{"write to a file opened for reading", fxpWrite, []any{reading, uint64(0), "x"}},
		{"read of a file opened for writing", fxpRead, []any{writing, uint64(0), uint32(9)}},
		{"list a file", fxpReaddir, []any{reading}},
		{"attributes of nothing", fxpFsetstat, []any{"nothing", uint32(0)}},
		{"copy from a file opened for writing", fxpExtended, []any{"copy-data", writing, uint64(0), uint64(0), both, uint64(0)}},
		{"copy to a file opened for reading", fxpExtended, []any{"copy-data", both, uint64(0), uint64(0), reading, uint64(0)}},
		{"close twice", fxpClose, []any{"\x00\x00\x00\x07"}},
	} {
		if code, text := c.status(refused.kind, refused.fields...); code != StatusFailure || !strings.HasPrefix(text, "hoop: no file is open") {
			t.Errorf("%s: %d %q", refused.name, code, text)
		}
	}
	if code, text := c.status(fxpExtended, "copy-data", reading, uint64(0), uint64(0), both, uint64(0)); code != StatusOK {
		t.Errorf("copy-data: %d %s", code, text)
	}
	for _, h := range []string{reading, writing, both} {
		if code, _ := c.status(fxpClose, h); code != StatusOK {
			t.Errorf("close: %d", code)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "app/c")); err != nil || string(text) != "alpha" {
		t.Errorf("the copy is %q, %v", text, err)
	}
}

// TestUnknown sends what nobody understands; none of it reaches the server.
func TestUnknown(t *testing.T) {
	j := &judge{}
	c := dial(t, j)
	cases := []struct {
		name   string
		kind   byte
		fields []any
		want   uint32
	}{
		{"a later version's request", 21, []any{"/a", "/b"}, StatusUnsupported},
		{"a reply as a request", fxpStatus, []any{uint32(0)}, StatusUnsupported},
		{"an extension", fxpExtended, []any{"exec@example.com", "rm -rf /"}, StatusUnsupported},
		{"zero byte", fxpOpen, []any{"/app/a\x00/denied", uint32(1), uint32(0)}, StatusBadMessage},
		{"more than there is", fxpOpen, []any{uint32(0xffffffff), "/a"}, StatusBadMessage},
		{"more follows", fxpStat, []any{"/a", "/b"}, StatusBadMessage},
		{"unknown open flags", fxpOpen, []any{"/a", uint32(0x40), uint32(0)}, StatusBadMessage},
		{"unknown attributes", fxpMkdir, []any{"/a", uint32(0x10)}, StatusBadMessage},
		{"nothing", fxpOpen, nil, StatusBadMessage},
		{"a huge path", fxpStat, []any{strings.Repeat("a", maxPath+1)}, StatusBadMessage},
		{"a huge request", fxpStat, []any{strings.Repeat("a", maxDecided)}, StatusBadMessage},
		{"a write cut short", fxpWrite, []any{"h", uint64(0), uint32(9), []byte("short")}, StatusBadMessage},
	}
	for _, k := range cases {
		if code, text := c.status(k.kind, k.fields...); code != k.want {
			t.Errorf("%s: %d %q, want %d", k.name, code, text, k.want)
		}
	}
	if frames := c.spy.frames(t); len(frames) != 2 {
		t.Errorf("%d packets reached the server, want its start and the question for its folder", len(frames))
	}
	for _, e := range j.list() {
		if e.Op.Verb != policy.SSHUnknown || e.Ended != 1 {
			t.Errorf("recorded %+v", e)
		}
	}
}

// TestBrokenConversations ends what cannot go on.
func TestBrokenConversations(t *testing.T) {
	start := finish(begin(fxpInit, version))
	stat := func(id uint32) frame { return build(fxpStat, id, "/") }
	for _, c := range []struct {
		name, want string
		frames     []frame
	}{
		{"no start", "does not begin", []frame{stat(1)}},
		{"an old version", "does not begin", []frame{finish(begin(fxpInit, 2))}},
		{"too long", "packet of 262145 bytes", []frame{start, {0, 4, 0, 1}}},
		{"too short", "packet of 0 bytes", []frame{start, {0, 0, 0, 0, 5}}},
		{"cut off", "ended within a packet", []frame{start, stat(1)[:7]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			peer := dialRaw(t, &judge{})
			go io.Copy(io.Discard, peer.from.src)
			for _, f := range c.frames {
				peer.send(f)
			}
			peer.to.Close()
			if err := <-peer.requests; err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestIDOfALiveRequest uses the id of a request that waits for its answer.
func TestIDOfALiveRequest(t *testing.T) {
	dir := home(t)
	c := dial(t, &judge{}, "-d", filepath.Join(dir, "app"))
	h := c.open("a", flagRead)
	twice := append(append(frame{}, build(fxpRead, 7, h, uint64(0), uint32(1))...), build(fxpRead, 7, h, uint64(1), uint32(1))...)
	c.send(twice)
	if err := <-c.requests; err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("error %v", err)
	}
}

// TestLost closes the conversation with a file open.
func TestLost(t *testing.T) {
	dir := home(t)
	j := &judge{}
	c := dial(t, j, "-d", filepath.Join(dir, "app"))
	h := c.open("a", flagRead)
	c.ask(fxpRead, h, uint64(0), uint32(2))
	c.finished()
	if e := j.list()[0]; !e.Result.Lost || e.Ended != 1 || e.Result.Read.Bytes != 2 {
		t.Errorf("recorded %+v", e)
	}
}

// TestExtensionsThatNameUsers gives no path where there is none.
func TestExtensionsThatNameUsers(t *testing.T) {
	j := &judge{}
	c := dial(t, j)
	c.ask(fxpExtended, "users-groups-by-id@openssh.com", "\x00\x00\x00\x00", "")
	c.ask(fxpExtended, "home-directory", "root")
	c.ask(fxpExtended, "expand-path@openssh.com", "~/x")
	want := []string{"users-groups-by-id@openssh.com ", "home-directory ~root", "expand-path@openssh.com ~/x"}
	var got []string
	for _, e := range j.list() {
		got = append(got, e.Op.Name+" "+e.Op.Path)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
