package cli

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheTargetsPasswordStaysInTheBroker looks for it, in every form that could
// stand for it, in all that a client gets and all that is written.
func TestTheTargetsPasswordStaysInTheBroker(t *testing.T) {
	t.Parallel()
	b := newBroker(t, brokerOptions{})
	env := b.ann(t)
	secret, err := os.ReadFile(filepath.Join(world(t).Dir, "secrets/app"))
	if err != nil {
		t.Fatal(err)
	}
	needles := formsOf(t, string(secret), "app")
	clean := func(where string, data []byte) {
		t.Helper()
		for form, needle := range needles {
			if bytes.Contains(data, needle) {
				t.Errorf("%s holds the target's password, %s", where, form)
			}
		}
	}
	l := openListener(t, env, "shop", "--listen", "--format", "json", "--port", freePort(t), "--socket-dir", t.TempDir()+"/s")
	clean("what the client receives", wire(t, l.Port))
	clean("the memory of hoop connect", memory(t, l.cmd.Process.Pid))
	clean("what hoop connect prints", []byte(l.out.String()+l.err.String()))
	r := hoop(t, env, "connect", "shop", "--", "env").must(t, 0)
	clean("the environment of a program", []byte(r.stdout+r.stderr))
	r = hoop(t, env, "connect", "shop", "--", "psql", "-Xc", `\conninfo`, "-c", "SHOW ALL", "-c", "SELECT * FROM pg_stat_activity", "-c", "SELECT * FROM nowhere").must(t, 1)
	clean("what psql prints", []byte(r.stdout+r.stderr))
	for _, args := range [][]string{{"whoami"}, {"list"}, {"sessions", "list"}, {"policy", "explain", "shop", "select 1"}, {"credential", "list", "--config", b.config()}} {
		r := hoop(t, env, append(args, "-o", "json")...).must(t, 0)
		clean(strings.Join(args, " "), []byte(r.stdout+r.stderr))
	}
	clean("the broker's log", []byte(b.out.String()+b.err.String()))
	dir := configDirOf(env)
	token := readTree(t, dir, clean)
	readTree(t, b.dir, clean)

	// The search finds what is there.
	if !bytes.Contains(memory(t, l.cmd.Process.Pid), loginToken(t, token)) {
		t.Error("the login's token was not found in memory, so the search is no proof")
	}
}

// formsOf gives the password and what PostgreSQL's logins make of it.
func formsOf(t testing.TB, secret, user string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{"as it is": []byte(secret), "in base64": []byte(base64.StdEncoding.EncodeToString([]byte(secret))),
		"in hexadecimal": []byte(hex.EncodeToString([]byte(secret)))}
	sum := md5.Sum([]byte(secret + user))
	out["as md5"] = []byte(hex.EncodeToString(sum[:]))
	stored, err := world(t).Postgres.Exec(t.Context(), "postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
	if err != nil {
		t.Fatal(err)
	}
	// SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey (RFC 5803)
	parts := strings.FieldsFunc(strings.TrimSpace(stored), func(r rune) bool { return r == '$' || r == ':' })
	if len(parts) != 5 {
		t.Fatalf("the stored password is %d parts", len(parts))
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	salted, err := pbkdf2.Key(sha256.New, secret, salt, 4096, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	out["salted"], out["salted, in base64"] = salted, []byte(base64.StdEncoding.EncodeToString(salted))
	out["stored key"], out["server key"] = []byte(parts[3]), []byte(parts[4])
	return out
}

// wire is all that a client receives in a session: its start, a result, an error.
func wire(t testing.TB, port int) []byte {
	t.Helper()
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(limit))
	_, _ = c.Write(startupAndQuery())
	query := "select * from nowhere\x00"
	_, _ = c.Write(append(binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(len(query)+4)), query...))
	var got []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(got, []byte("smuggled")) || !bytes.Contains(got, []byte("42P01")) {
		n, err := c.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			t.Fatalf("the session gave %q %v", got, err)
		}
	}
	return got
}

// memory reads all of a process that can be read.
func memory(t testing.TB, pid int) []byte {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = maps.Close() }()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mem.Close() }()
	var all bytes.Buffer
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		_, _ = io.Copy(&all, io.NewSectionReader(mem, from, to-from)) // reserved pages cannot be read
	}
	return all.Bytes()
}

func configDirOf(env []string) string {
	for _, v := range env {
		if dir, ok := strings.CutPrefix(v, "HOOP_CONFIG_DIR="); ok {
			return dir
		}
	}
	return ""
}

// readTree hands every file to see, and gives the last one that holds a login.
func readTree(t testing.TB, dir string, see func(where string, data []byte)) (login []byte) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		see(path, data)
		files++
		if bytes.Contains(data, []byte("hl1_")) {
			login = data
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%s: %d files, %v", dir, files, err)
	}
	return login
}

func loginToken(t testing.TB, file []byte) []byte {
	t.Helper()
	i := bytes.Index(file, []byte("hl1_"))
	if i < 0 {
		t.Fatal("the client's files hold no login")
	}
	return file[i : i+30]
}
