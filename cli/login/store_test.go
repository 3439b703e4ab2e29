package login

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zalando/go-keyring"
)

const broker = "https://broker.example:8443"

func secrets(t testing.TB, refresh string) Secrets {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return Secrets{RefreshToken: refresh, LoginToken: "login", LoginExpires: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Key: key}
}

// memory is a keyring that works, or fails as told. No keyring daemon runs
// where tests do, so its behaviours are the ones that were seen on real ones.
type memory struct {
	entries map[string]string
	fail    error
	hang    chan struct{}
}

func (m *memory) do(f func() error) error {
	if m.hang != nil {
		<-m.hang
	}
	if m.fail != nil {
		return m.fail
	}
	return f()
}

func (m *memory) Get(_, user string) (text string, err error) {
	err = m.do(func() error {
		var ok bool
		if text, ok = m.entries[user]; !ok {
			return keyring.ErrNotFound
		}
		return nil
	})
	return text, err
}

func (m *memory) Set(_, user, text string) error {
	return m.do(func() error { m.entries[user] = text; return nil })
}

func (m *memory) Delete(_, user string) error {
	return m.do(func() error {
		if _, ok := m.entries[user]; !ok {
			return keyring.ErrNotFound
		}
		delete(m.entries, user)
		return nil
	})
}

func newStore(t testing.TB, dir string, service secretService) (*Store, *bytes.Buffer) {
	t.Helper()
	var warnings bytes.Buffer
	s, err := OpenStore(StoreConfig{Dir: dir, Warn: &warnings, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	s.ring = &limited{service: service, limit: 30 * time.Millisecond}
	return s, &warnings
}

func wantLoad(t *testing.T, s *Store, want Secrets) {
	t.Helper()
	got, err := s.Load(broker)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "credentials", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestKeyringHoldsTheSecretsAlone(t *testing.T) {
	dir, ring := t.TempDir(), &memory{entries: map[string]string{}}
	s, warnings := newStore(t, dir, ring)
	want := secrets(t, "r1")
	if err := s.Save(t.Context(), broker, want); err != nil {
		t.Fatal(err)
	}
	wantLoad(t, s, want)
	if found := files(t, dir); len(found) != 0 || len(ring.entries) != 1 || warnings.Len() != 0 {
		t.Errorf("files %v, %d keyring entries, warnings %q", found, len(ring.entries), warnings)
	}
	for _, text := range ring.entries {
		if len(text) > 2560 {
			t.Errorf("the entry has %d bytes", len(text))
		}
	}
	if err := s.Delete(t.Context(), broker); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(broker); !errors.Is(err, ErrNoSecrets) || len(ring.entries) != 0 {
		t.Errorf("after logout: %v, %d entries", err, len(ring.entries))
	}
	if err := s.Delete(t.Context(), broker); err != nil {
		t.Errorf("second logout: %v", err)
	}
}

func TestFileIsUsedAndSaidWhenTheKeyringFails(t *testing.T) {
	for name, ring := range map[string]*memory{
		"fails": {fail: errors.New("exec: dbus-launch: not found")},
		"hangs": {hang: make(chan struct{})},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, warnings := newStore(t, dir, ring)
			for _, refresh := range []string{"r1", "r2"} {
				want := secrets(t, refresh)
				if err := s.Save(t.Context(), broker, want); err != nil {
					t.Fatal(err)
				}
				wantLoad(t, s, want)
			}
			if n := strings.Count(warnings.String(), "\n"); n != 1 || !strings.Contains(warnings.String(), dir) {
				t.Errorf("%d warnings: %q", n, warnings)
			}
			info, err := os.Stat(files(t, dir)[0])
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
		})
	}
}

// The keyring comes and goes, as over ssh and at the desk. The newest secrets
// always win, and a keyring that works again takes them over.
func TestFileNeverHidesNewerSecrets(t *testing.T) {
	dir, ring := t.TempDir(), &memory{entries: map[string]string{}}
	s, _ := newStore(t, dir, ring)
	if err := s.Save(t.Context(), broker, secrets(t, "old, in the keyring")); err != nil {
		t.Fatal(err)
	}
	ring.fail = errors.New("locked")
	newer := secrets(t, "newer, in the file")
	if err := s.Save(t.Context(), broker, newer); err != nil {
		t.Fatal(err)
	}
	ring.fail = nil
	wantLoad(t, s, newer)
	newest := secrets(t, "newest, in the keyring")
	if err := s.Save(t.Context(), broker, newest); err != nil {
		t.Fatal(err)
	}
	wantLoad(t, s, newest)
	if found := files(t, dir); len(found) != 0 {
		t.Errorf("files are left: %v", found)
	}
}

func TestEntryTooBigForTheKeyringGoesToTheFile(t *testing.T) {
	dir, ring := t.TempDir(), &memory{entries: map[string]string{}}
	s, _ := newStore(t, dir, ring)
	s.ring.max = keyringSize("windows")
	if err := s.Save(t.Context(), broker, secrets(t, "small")); err != nil {
		t.Fatal(err)
	}
	big := secrets(t, strings.Repeat("x", 3000))
	if err := s.Save(t.Context(), broker, big); err != nil {
		t.Fatal(err)
	}
	wantLoad(t, s, big)
	if len(ring.entries) != 0 || len(files(t, dir)) != 1 {
		t.Errorf("%d keyring entries, files %v", len(ring.entries), files(t, dir))
	}
}

func TestLogoutSaysWhenTheKeyringMayStillHoldIt(t *testing.T) {
	s, _ := newStore(t, t.TempDir(), &memory{fail: errors.New("locked")})
	if err := s.Delete(t.Context(), broker); err == nil {
		t.Error("logout succeeded without reaching the keyring")
	}
	if _, err := s.Load(broker); !errors.Is(err, ErrNoSecrets) || !strings.Contains(err.Error(), "locked") {
		t.Errorf("Load: %v", err)
	}
}

func TestKeyringIsLeftAloneWithoutASessionBus(t *testing.T) {
	run := t.TempDir()
	if err := noSessionBus("linux", env(map[string]string{"XDG_RUNTIME_DIR": run})); err == nil {
		t.Error("asked without a bus")
	}
	if err := os.WriteFile(filepath.Join(run, "bus"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"bus in the runtime directory": noSessionBus("linux", env(map[string]string{"XDG_RUNTIME_DIR": run})),
		"address":                      noSessionBus("linux", env(map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"})),
		"darwin":                       noSessionBus("darwin", env(nil)),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestForcedFileIsSilent(t *testing.T) {
	var warnings bytes.Buffer
	dir := t.TempDir()
	s, err := OpenStore(StoreConfig{Dir: dir, Warn: &warnings, Getenv: env(map[string]string{"HOOP_KEYRING": "file"})})
	if err != nil {
		t.Fatal(err)
	}
	want := secrets(t, "r")
	if err := s.Save(t.Context(), broker, want); err != nil {
		t.Fatal(err)
	}
	wantLoad(t, s, want)
	if warnings.Len() != 0 || len(files(t, dir)) != 1 {
		t.Errorf("warnings %q, files %v", &warnings, files(t, dir))
	}
	if _, err := OpenStore(StoreConfig{Dir: dir, Getenv: env(map[string]string{"HOOP_KEYRING": "none"})}); err == nil {
		t.Error("an unknown HOOP_KEYRING was accepted")
	}
}

func TestProfilesAndDirectoriesAreApart(t *testing.T) {
	ring := &memory{entries: map[string]string{}}
	alice, _ := newStore(t, t.TempDir(), ring)
	bob, _ := newStore(t, t.TempDir(), ring)
	if err := alice.Save(t.Context(), broker, secrets(t, "alice")); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Load(broker); !errors.Is(err, ErrNoSecrets) {
		t.Errorf("another directory: %v", err)
	}
	for _, other := range []string{broker + "/", "https://broker.example", "../../etc/passwd", ""} {
		if _, err := alice.Load(other); !errors.Is(err, ErrNoSecrets) {
			t.Errorf("profile %q: %v", other, err)
		}
		if file := alice.entry(other).file; filepath.Dir(file) != alice.dir {
			t.Errorf("profile %q lies at %s", other, file)
		}
	}
}

func TestUnsafeFilesAreRefused(t *testing.T) {
	spoil := map[string]func(path string) error{
		"readable by others": func(path string) error { return os.Chmod(path, 0o644) },
		"readable by group":  func(path string) error { return os.Chmod(path, 0o640) },
		"a link": func(path string) error {
			if err := os.Rename(path, path+".real"); err != nil {
				return err
			}
			return os.Symlink(path+".real", path)
		},
		"garbage": func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
		"of another broker": func(path string) error {
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, bytes.ReplaceAll(raw, []byte("broker."), []byte("evil..")), 0o600)
		},
	}
	if os.Geteuid() == 0 { // only root can give a file away
		spoil["of another owner"] = func(path string) error { return os.Chown(path, 65534, 65534) }
	}
	for name, do := range spoil {
		dir := t.TempDir()
		s, _ := newStore(t, dir, &memory{fail: errors.New("none")})
		if err := s.Save(t.Context(), broker, secrets(t, "r")); err != nil {
			t.Fatal(err)
		}
		if err := do(files(t, dir)[0]); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Load(broker); err == nil || errors.Is(err, ErrNoSecrets) {
			t.Errorf("%s: loaded %v, %v", name, got.RefreshToken != "", err)
		}
	}
}

func TestDirectoryThatOthersMayWriteIsRefused(t *testing.T) {
	dir := t.TempDir()
	s, _ := newStore(t, dir, &memory{fail: errors.New("none")})
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), broker, secrets(t, "r")); err == nil {
		t.Error("secrets were put where others can swap them")
	}
}

// FuzzStoredSecrets: what was encoded decodes to the same, and decoding never
// gives a key that is not one.
func FuzzStoredSecrets(f *testing.F) {
	raw, err := encode(broker, Secrets{RefreshToken: "r", LoginToken: "l"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"v":1,"profile":"https://broker.example:8443","key":"AAAA"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		x, err := decode(broker, raw)
		if err != nil {
			return
		}
		again, err := encode(broker, x)
		if err != nil {
			t.Fatalf("decoded what cannot be encoded: %v", err)
		}
		y, err := decode(broker, again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x, y); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRenewStoresWhatChangedEvenOnError(t *testing.T) {
	s, _ := newStore(t, t.TempDir(), &memory{entries: map[string]string{}})
	old := secrets(t, "r1")
	if err := s.Save(t.Context(), broker, old); err != nil {
		t.Fatal(err)
	}
	brokerDown := errors.New("broker down")
	stale := func(Secrets) bool { return false }
	_, err := s.Renew(t.Context(), broker, stale, func(_ context.Context, x Secrets) (Secrets, error) {
		x.RefreshToken = "r2"
		return x, brokerDown
	})
	if !errors.Is(err, brokerDown) {
		t.Fatal(err)
	}
	rotated := old
	rotated.RefreshToken = "r2"
	wantLoad(t, s, rotated)

	_, err = s.Renew(t.Context(), broker, stale, func(context.Context, Secrets) (Secrets, error) {
		return Secrets{}, ErrSignedOut
	})
	if !errors.Is(err, ErrSignedOut) {
		t.Fatal(err)
	}
	wantLoad(t, s, rotated)
}

func TestLockWaitEndsWithTheContext(t *testing.T) {
	s, _ := newStore(t, t.TempDir(), &memory{entries: map[string]string{}})
	unlock, err := s.lock(t.Context(), broker)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Save(ctx, broker, secrets(t, "r")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

const renewEnv = "HOOP_TEST_RENEW_DIR"

// TestMain turns the test binary into one of many shells that renew at once.
func TestMain(m *testing.M) {
	if dir := os.Getenv(renewEnv); dir != "" {
		if err := renewOnce(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// renewOnce marks the one real renewal with a file of its own.
func renewOnce(dir string) error {
	s, err := OpenStore(StoreConfig{Dir: dir, Getenv: env(map[string]string{"HOOP_KEYRING": "file"})})
	if err != nil {
		return err
	}
	fresh := func(x Secrets) bool { return x.RefreshToken == "new" }
	got, err := s.Renew(context.Background(), broker, fresh, func(_ context.Context, x Secrets) (Secrets, error) {
		f, err := os.CreateTemp(dir, "renewed-*")
		if err != nil {
			return Secrets{}, err
		}
		defer f.Close()
		time.Sleep(100 * time.Millisecond) // the issuer takes its time
		x.RefreshToken = "new"
		return x, nil
	})
	if err == nil && got.RefreshToken != "new" {
		err = fmt.Errorf("renewed to %q", got.RefreshToken)
	}
	return err
}

func TestOfManyProcessesOneRenews(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenStore(StoreConfig{Dir: dir, Getenv: env(map[string]string{"HOOP_KEYRING": "file"})})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), broker, secrets(t, "old")); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shells := make([]*exec.Cmd, 8)
	for i := range shells {
		shells[i] = exec.Command(self)
		shells[i].Env = append(os.Environ(), renewEnv+"="+dir)
		shells[i].Stderr = os.Stderr
		if err := shells[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, shell := range shells {
		if err := shell.Wait(); err != nil {
			t.Error(err)
		}
	}
	renewed, err := filepath.Glob(filepath.Join(dir, "renewed-*"))
	if err != nil || len(renewed) != 1 {
		t.Errorf("%d of %d processes renewed, want 1 (%v)", len(renewed), len(shells), err)
	}
}
