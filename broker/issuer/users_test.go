package issuer

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUsersFileRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	hash, err := HashPassword("long enough")
	if err != nil {
		t.Fatal(err)
	}
	alice := User{Name: "alice", Email: "Alice@example.com", Password: hash, Groups: []string{"a", "b"}}
	bob := User{Name: "bob", Password: hash, Disabled: true}
	for _, u := range []User{{Name: "alice", Password: hash}, bob, alice} {
		if err := SetUser(path, u); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]User{alice, bob}, got); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if u, err := findUser(path, " ALICE@example.COM"); err != nil || u.Name != "alice" {
		t.Errorf("find by e-mail: %v, %v", u.Name, err)
	}
	if err := RemoveUser(path, "alice"); err != nil {
		t.Fatal(err)
	}
	if err := RemoveUser(path, "alice"); !errors.Is(err, ErrNoUser) {
		t.Errorf("second removal: %v, want ErrNoUser", err)
	}
	if _, err := findUser(path, ""); !errors.Is(err, ErrNoUser) {
		t.Errorf("empty name: %v, want ErrNoUser", err)
	}
}

func TestUsersFileIsStrict(t *testing.T) {
	hash, err := HashPassword("long enough")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"unknown key":    "users:\n- {name: a, password: '" + hash + "', role: admin}\n",
		"same name":      "users:\n- {name: a, password: '" + hash + "'}\n- {name: a, password: '" + hash + "'}\n",
		"same e-mail":    "users:\n- {name: a, email: x@y, password: '" + hash + "'}\n- {name: b, email: X@y, password: '" + hash + "'}\n",
		"plain password": "users:\n- {name: a, password: secret}\n",
		"no password":    "users:\n- {name: a}\n",
		"bad name":       "users:\n- {name: 'a b', password: '" + hash + "'}\n",
	} {
		path := filepath.Join(t.TempDir(), "users.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadUsers(path); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	path := filepath.Join(t.TempDir(), "users.yaml")
	if err := SetUser(path, User{Name: "a", Password: hash}); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o644, 0o660, 0o602} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadUsers(path); err == nil {
			t.Errorf("mode %#o was accepted", mode)
		}
	}
}

func TestVerifierKnowsOnlyTheRightPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	hash, err := HashPassword("the right one")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []User{{Name: "alice", Password: hash}, {Name: "gone", Password: hash, Disabled: true}} {
		if err := SetUser(path, u); err != nil {
			t.Fatal(err)
		}
	}
	v := newVerifier(path)
	for _, try := range []struct {
		login, password string
		ok              bool
	}{
		{"alice", "the right one", true}, {"alice", "the wrong one", false}, {"alice", "", false},
		{"nobody", "the right one", false}, {"gone", "the right one", false}, {"", "", false},
	} {
		if _, err := v.verify(t.Context(), try.login, try.password); (err == nil) != try.ok {
			t.Errorf("verify(%q, %q) = %v, want ok %v", try.login, try.password, err, try.ok)
		}
	}
}

// A hash that parses is written the same: nothing is ignored in it.
func FuzzParseHash(f *testing.F) {
	hash, err := HashPassword("long enough")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hash)
	f.Add(hash + "x")
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=64,t=1,p=1 $AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHash(text)
		if err != nil {
			return
		}
		if h.String() != text {
			t.Errorf("%q became %q", text, h.String())
		}
		if h.memory > maxMemory || h.passes > maxPasses {
			t.Errorf("%q passes the limits", text)
		}
	})
}

func TestThrottleFillsAgain(t *testing.T) {
	now := time.Now()
	th := newThrottle(2, 10*time.Second)
	steps := []struct {
		after time.Duration
		want  time.Duration
	}{{0, 0}, {0, 0}, {0, 10 * time.Second}, {4 * time.Second, 6 * time.Second}, {6 * time.Second, 0}, {0, 10 * time.Second}}
	for i, s := range steps {
		now = now.Add(s.after)
		if got := th.take("k", now); got.Round(time.Millisecond) != s.want {
			t.Errorf("step %d: wait %v, want %v", i, got, s.want)
		}
	}
	if got := th.take("other", now); got != 0 {
		t.Errorf("another key waits %v", got)
	}
	th.giveBack("k", now)
	if got := th.take("k", now); got != 0 {
		t.Errorf("after a try given back: %v", got)
	}
}

func TestDevicesExpireAndMakeRoom(t *testing.T) {
	now := time.Now()
	d := newDevices(time.Second)
	add := func(code string, at time.Time) error {
		return d.add(deviceRequest{code: code, userCode: "U" + code, client: "hoop", expires: at.Add(deviceLifetime)}, at)
	}
	if err := add("a", now); err != nil {
		t.Fatal(err)
	}
	if err := add("a", now); err == nil {
		t.Error("the same code was stored twice")
	}
	if err := d.settle("Ua", confirmed, "alice", now, now); err != nil {
		t.Fatal(err)
	}
	later := now.Add(deviceLifetime + time.Second)
	if _, err := d.consume("hoop", "a", later); err == nil {
		t.Error("an expired code was consumed")
	}
	if got := d.poll("hoop", "a", later); got != "expired_token" {
		t.Errorf("poll after expiry: %q", got)
	}
	for i := range maxPending {
		if err := add(string(rune('0'+i%10))+string(rune(1000+i)), later); err != nil {
			t.Fatal(err)
		}
	}
	if err := add("one more", later); !errors.Is(err, errTooMany) {
		t.Errorf("beyond the limit: %v", err)
	}
	if err := add("one more", later.Add(deviceLifetime+time.Second)); err != nil {
		t.Errorf("after the others expired: %v", err)
	}
}

func TestStateIsPrivateAndExclusive(t *testing.T) {
	dir := t.TempDir()
	s, err := openState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "issuer.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("state file: %v, %v", info.Mode(), err)
	}
	key, err := s.signingKey(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.startFamily("f", family{Subject: "alice", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.checkRefresh(token, time.Now().Add(2*time.Hour)); !errors.Is(err, errRefreshUnknown) {
		t.Errorf("after its lifetime: %v", err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s, err = openState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if again, err := s.signingKey(time.Now()); err != nil || again.id != key.id {
		t.Errorf("the key changed over a restart: %v, %v", again.id, err)
	}
}
