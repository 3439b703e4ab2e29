package sftp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hoop/policy"
)

// run starts an unmodified client whose server is reached through the inspector
// and gives what it printed, its error and what was decided.
func run(t *testing.T, dir, stdin string, arg ...string) (string, error, []entry) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	cmd := exec.Command(arg[0], arg[1:]...)
	cmd.Dir = filepath.Join(dir, "app")
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), proxyEnv+"="+log, "HOOP_SFTP_SERVER="+serverProgram(t))
	out, err := cmd.CombinedOutput()
	var entries []entry
	eventually(t, "the proxy's end", func() bool {
		text, err := os.ReadFile(log)
		return err == nil && json.Unmarshal(text, &entries) == nil
	})
	return string(out), err, entries
}

// large is a file of some megabytes that repeats nothing.
func large(t *testing.T, path string) []byte {
	t.Helper()
	data := make([]byte, 5<<20+12345)
	if _, err := rand.NewChaCha8([32]byte{1}).Read(data); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return data
}

// transferred wants exactly one file of that name to have gone whole.
func transferred(t *testing.T, entries []entry, verb, name string, data []byte) {
	t.Helper()
	sum := sha256.Sum256(data)
	for _, e := range entries {
		moved := e.Result.Read
		if verb == policy.SSHSFTPWrite {
			moved = e.Result.Written
		}
		if e.Op.Verb == verb && filepath.Base(e.Op.Path) == name {
			if moved.SHA256 != hex.EncodeToString(sum[:]) || moved.Bytes != int64(len(data)) || e.Result.Lost || e.Ended != 1 {
				t.Errorf("%s of %s: %+v, want %d bytes of %x", verb, name, e, len(data), sum)
			}
			return
		}
	}
	t.Errorf("nothing tells of %s %s: %+v", verb, name, entries)
}

func same(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Errorf("%s and %s differ", a, b)
	}
}

// TestSFTPClient lets OpenSSH's client do everything that it can do.
func TestSFTPClient(t *testing.T) {
	dir := home(t)
	data := large(t, filepath.Join(dir, "app", "big"))
	out, err, entries := run(t, dir, "", "sftp", "-D", os.Args[0], "-b", batch(t, `put -p big up
get up down
reget up down
-get ../denied/secret
mkdir sub
rename up sub/moved
ln -s a soft
ln a hard
chmod 600 hard
ls -l
ls -l sub
df .
cd sub
pwd
cp moved copied
rm moved
cd ..
-rm ../denied/secret
-cd nowhere
rm hard
rm sub/copied
rmdir sub
`))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	transferred(t, entries, policy.SSHSFTPWrite, "up", data)
	transferred(t, entries, policy.SSHSFTPRead, "up", data)
	same(t, filepath.Join(dir, "app", "big"), filepath.Join(dir, "app", "down"))
	for _, refused := range []string{"denied/secret\" not found", "delete " + dir + "/app/../denied/secret: Permission denied"} {
		if !strings.Contains(out, refused) { // a file that cannot be looked at is not found, as the client words it
			t.Errorf("%q is not said:\n%s", refused, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "denied/secret")); err != nil {
		t.Error(err)
	}
	seen := map[string]bool{}
	for _, e := range entries {
		seen[e.Op.Name] = true
	}
	for _, name := range []string{"open", "opendir", "mkdir", "remove", "rmdir", "realpath", "stat", "symlink", "setstat", "fsetstat",
		"posix-rename@openssh.com", "hardlink@openssh.com", "statvfs@openssh.com"} {
		if !seen[name] {
			t.Errorf("%s was not seen:\n%s", name, out)
		}
	}
}

func batch(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "batch")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSCPClient copies both ways, in folders, and to where it must not.
func TestSCPClient(t *testing.T) {
	dir := home(t)
	data := large(t, filepath.Join(dir, "app", "big"))
	app := filepath.Join(dir, "app")
	out, err, entries := run(t, dir, "", "scp", "-S", os.Args[0], "-p", "big", "h:"+app+"/up")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	transferred(t, entries, policy.SSHSFTPWrite, "up", data)
	same(t, filepath.Join(app, "big"), filepath.Join(app, "up"))
	out, err, entries = run(t, dir, "", "scp", "-S", os.Args[0], "h:"+app+"/up", "down")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	transferred(t, entries, policy.SSHSFTPRead, "up", data)
	same(t, filepath.Join(app, "big"), filepath.Join(app, "down"))
	out, err, entries = run(t, dir, "", "scp", "-S", os.Args[0], "big", "h:"+app+"/new")
	if err == nil || !strings.Contains(out, "ermission denied") {
		t.Errorf("scp through a link to a denied place: %v\n%s\n%+v", err, out, entries)
	}
	if _, err := os.Stat(filepath.Join(dir, "denied/new")); err == nil {
		t.Error("the denied file is there")
	}
}
