package credential

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

const value = "hunter2-Zuffenhausen"

func newStore(t *testing.T) (*Store, *Key, string) {
	t.Helper()
	dir := t.TempDir()
	key, err := CreateKey(filepath.Join(dir, "store.key"), Secret{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenStore(filepath.Join(dir, "credentials"), key)
	if err != nil {
		t.Fatal(err)
	}
	return s, key, dir
}

func TestSecretShowsNothing(t *testing.T) {
	secret := NewSecret(value)
	type holder struct {
		Secret Secret
		Ptr    *Secret
		List   []Secret
		Map    map[string]Secret
		inner  Secret
	}
	h := holder{secret, &secret, []Secret{secret}, map[string]Secret{"k": secret}, secret}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t", "%p", "%10.3s"} {
		fmt.Fprintf(&out, verb+"\n", secret)
		fmt.Fprintf(&out, verb+"\n", &secret)
		fmt.Fprintf(&out, verb+"\n", h)
		fmt.Fprintf(&out, verb+"\n", []any{secret})
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("m", "secret", secret, "ptr", &secret, "holder", h)
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		data, err := marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(data)
	}
	out.WriteString(fmt.Errorf("wrapped: %v", secret).Error())
	for _, leak := range []string{value, fmt.Sprintf("%x", value), value[:3] + "\n"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is shown in\n%s", leak, out.String())
		}
	}
	if secret.Reveal() != value {
		t.Errorf("Reveal gives %q", secret.Reveal())
	}
}

func TestStoreKeepsSecretsEncrypted(t *testing.T) {
	s, key, dir := newStore(t)
	for _, name := range []string{"prod", "staging"} {
		if err := s.Set(name, NewSecret(value+name)); err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), value) {
			t.Errorf("%s holds the secret in clear", path)
		}
		if info, _ := d.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenStore(s.dir, key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Get("prod")
	if err != nil || got.Reveal() != value+"prod" {
		t.Fatalf("got %q, %v", got.Reveal(), err)
	}
	names, err := again.List()
	if diff := cmp.Diff([]string{"prod", "staging"}, names); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
}

func TestStoreReplacesAndDeletes(t *testing.T) {
	s, _, _ := newStore(t)
	for _, v := range []string{"one", "two"} {
		if err := s.Set("prod", NewSecret(v)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Get("prod"); err != nil || got.Reveal() != "two" {
		t.Fatalf("got %q, %v", got.Reveal(), err)
	}
	if err := s.Delete("prod"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("prod"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("after Delete: %v", err)
	}
	if err := s.Delete("prod"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("second Delete: %v", err)
	}
	files, err := os.ReadDir(s.dir)
	if err != nil || len(files) != 0 {
		t.Fatalf("left behind: %v, %v", files, err)
	}
}

func TestWrongKeyIsSaidAtOpen(t *testing.T) {
	s, _, dir := newStore(t)
	if err := s.Set("prod", NewSecret(value)); err != nil {
		t.Fatal(err)
	}
	other, err := CreateKey(filepath.Join(dir, "other.key"), Secret{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenStore(s.dir, other)
	if err == nil || !strings.Contains(err.Error(), "another key") {
		t.Fatalf("got %v", err)
	}
}

func TestMovedFileIsRefused(t *testing.T) {
	s, _, _ := newStore(t)
	for _, name := range []string{"dev", "prod"} {
		if err := s.Set(name, NewSecret(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(s.path("prod"), s.path("dev")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get("dev"); err == nil {
		t.Fatalf("the secret of prod passed for dev's: %v", got.Reveal())
	}
}

func TestDamagedFileIsRefused(t *testing.T) {
	s, _, _ := newStore(t)
	if err := s.Set("prod", NewSecret(value)); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(s.path("prod"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 1
		if err := os.WriteFile(s.path("prod"), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get("prod"); err == nil {
			t.Fatalf("byte %d changed, and nobody noticed", i)
		}
		if err := os.WriteFile(s.path("prod"), whole[:i], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get("prod"); err == nil {
			t.Fatalf("cut at %d, and nobody noticed", i)
		}
	}
}

func TestNames(t *testing.T) {
	s, _, _ := newStore(t)
	for _, name := range []string{"", ".", "..", "../x", "a/b", "Prod", "-x", "a b", "a\x00", strings.Repeat("a", 64)} {
		if err := s.Set(name, NewSecret("x")); err == nil {
			t.Errorf("Set(%q) was let through", name)
		}
		if _, err := s.Get(name); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("Get(%q): %v", name, err)
		}
		if err := s.Delete(name); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("Delete(%q): %v", name, err)
		}
	}
	if err := s.Set("empty", Secret{}); err == nil {
		t.Error("an empty secret was stored")
	}
}

func TestKeyWithPassphrase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.key")
	made, err := CreateKey(path, NewSecret("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	give := func(p string) func() (Secret, error) {
		return func() (Secret, error) { return NewSecret(p), nil }
	}
	read, err := ReadKey(path, give("correct horse"))
	if err != nil || read.String() != made.String() {
		t.Fatalf("got %v, %v; made %v", read, err, made)
	}
	if _, err := ReadKey(path, give("wrong")); err == nil || !strings.Contains(err.Error(), "passphrase is wrong") {
		t.Fatalf("wrong passphrase: %v", err)
	}
	if _, err := ReadKey(path, nil); err == nil || !strings.Contains(err.Error(), "passphrase_file") {
		t.Fatalf("no passphrase: %v", err)
	}
	if data, _ := os.ReadFile(path); bytes.Contains(data, []byte("SECRET-KEY")) {
		t.Fatal("the key stands in clear")
	}
}

func TestKeyFileIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.key")
	if _, err := CreateKey(path, Secret{}); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if _, err := CreateKey(path, Secret{}); err == nil {
		t.Fatal("a second key was made over the first")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Fatal("the key changed")
	}
}

func TestKeyFileOpenToOthersIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.key")
	if _, err := CreateKey(path, Secret{}); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o602, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKey(path, nil); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestPassphraseComesFromFileThenEnvironmentThenAsking(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"configured", "environment"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ask := func() (Secret, error) { return NewSecret("asked"), nil }
	check := func(c StoreConfig, want string) {
		t.Helper()
		got, err := c.Passphrase(ask)()
		if err != nil || got.Reveal() != want {
			t.Errorf("got %q, %v; want %q", got.Reveal(), err, want)
		}
	}
	check(StoreConfig{}, "asked")
	t.Setenv(PassphraseFileEnv, filepath.Join(dir, "environment"))
	check(StoreConfig{}, "environment")
	check(StoreConfig{PassphraseFile: filepath.Join(dir, "configured")}, "configured")
}

func TestResolve(t *testing.T) {
	s, _, dir := newStore(t)
	if err := s.Set("prod", NewSecret("stored")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"plain": "filed", "line": "filed\n", "crlf": "filed\r\n", "two": "filed\n\n", "nothing": "\n", "long": strings.Repeat("x", maxSecret+1)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOOP_TEST_SECRET", "from the environment")
	t.Setenv("HOOP_TEST_EMPTY", "")
	r := &Resolver{Dir: dir, Store: s}
	for _, tt := range []struct {
		name   string
		source Source
		want   string
		err    string
	}{
		{"environment", Source{Env: "HOOP_TEST_SECRET"}, "from the environment", ""},
		{"environment unset", Source{Env: "HOOP_TEST_UNSET"}, "", "not set"},
		{"environment empty", Source{Env: "HOOP_TEST_EMPTY"}, "", "empty"},
		{"file", Source{File: "plain"}, "filed", ""},
		{"file with a newline", Source{File: filepath.Join(dir, "line")}, "filed", ""},
		{"file from Windows", Source{File: "crlf"}, "filed", ""},
		{"only one newline goes", Source{File: "two"}, "filed\n", ""},
		{"file without a secret", Source{File: "nothing"}, "", "empty"},
		{"file too long", Source{File: "long"}, "", "longer"},
		{"file absent", Source{File: "absent"}, "", "no such file"},
		{"directory", Source{File: "credentials"}, "", "directory"},
		{"stored", Source{Store: "prod"}, "stored", ""},
		{"not stored", Source{Store: "dev"}, "", "hoop credential set dev"},
		{"nothing named", Source{}, "", "set one of"},
		{"two named", Source{Env: "A", File: "b"}, "", "only one of"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.Resolve(t.Context(), tt.source)
			if got.Reveal() != tt.want {
				t.Errorf("got %q, want %q", got.Reveal(), tt.want)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got error %v, want %q", err, tt.err)
			}
			if cerr := r.Check(t.Context(), tt.source); (cerr == nil) != (err == nil) {
				t.Errorf("Check says %v, Resolve %v", cerr, err)
			}
		})
	}
}

func TestRotatedSecretIsUsedAtOnce(t *testing.T) {
	dir := t.TempDir()
	r := &Resolver{Dir: dir}
	for _, want := range []string{"first", "other"} { // of one length, within one tick of the clock
		if err := os.WriteFile(filepath.Join(dir, "pw"), []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := r.Resolve(t.Context(), Source{File: "pw"})
		if err != nil || got.Reveal() != want {
			t.Fatalf("got %q, %v; want %q", got.Reveal(), err, want)
		}
	}
}

func TestNoStoreConfigured(t *testing.T) {
	r := &Resolver{}
	if _, err := r.Resolve(t.Context(), Source{Store: "prod"}); err == nil || !strings.Contains(err.Error(), "no credential store") {
		t.Fatalf("got %v", err)
	}
}
