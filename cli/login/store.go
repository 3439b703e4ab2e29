package login

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/zalando/go-keyring"
)

// Secrets is what must survive between two commands.
type Secrets struct {
	RefreshToken string
	LoginToken   string
	LoginExpires time.Time
	Key          ed25519.PrivateKey
}

// ErrNoSecrets says that nothing is stored for a profile.
var ErrNoSecrets = errors.New("not signed in")

// Store keeps Secrets, one entry for each profile (the URL of a broker): in the
// keyring of the operating system, or in files of mode 0600 where there is none.
type Store struct {
	dir    string
	ring   *limited
	forced bool
	warn   io.Writer
	warned atomic.Bool
}

// StoreConfig says where a Store keeps things.
type StoreConfig struct {
	// Dir is the client's configuration directory. Two directories never share
	// entries, not even in the keyring.
	Dir string
	// Getenv may be nil for os.Getenv. HOOP_KEYRING=file forces files.
	Getenv func(string) string
	// Warn gets one line when files are used because there is no keyring. It
	// may be nil.
	Warn io.Writer
}

// OpenStore readies a store. It touches nothing yet.
func OpenStore(cfg StoreConfig) (*Store, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if cfg.Warn == nil {
		cfg.Warn = io.Discard
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the configuration directory: %w", err)
	}
	s := &Store{dir: filepath.Join(dir, "credentials"), warn: cfg.Warn}
	switch choice := cfg.Getenv("HOOP_KEYRING"); choice {
	case "file":
		s.forced = true
		s.ring = &limited{down: errors.New("HOOP_KEYRING=file")}
	case "":
		s.ring = systemKeyring(cfg.Getenv)
	default:
		return nil, fmt.Errorf("HOOP_KEYRING=%q: the only value it takes is file", choice)
	}
	return s, nil
}

// entry names the place of a profile, in the keyring and among the files.
type entry struct{ profile, account, file string }

func (s *Store) entry(profile string) entry {
	sum := sha256.Sum256([]byte(s.dir + "\x00" + profile))
	short := hex.EncodeToString(sum[:6])
	return entry{
		profile: profile,
		account: plain(profile) + " " + short,
		file:    filepath.Join(s.dir, slug(profile)+"-"+short+".json"),
	}
}

// slug makes a file name that people recognise.
func slug(profile string) string {
	_, rest, ok := strings.Cut(profile, "://")
	if !ok {
		rest = profile
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '_'
	}, rest)
	return strings.TrimLeft(name[:min(len(name), 60)], ".")
}

// stored is the form of Secrets at rest.
type stored struct {
	Version int       `json:"v"`
	Profile string    `json:"profile"`
	Refresh string    `json:"refresh_token,omitempty"`
	Login   string    `json:"login_token,omitempty"`
	Expires time.Time `json:"login_expires,omitzero"`
	Seed    []byte    `json:"key,omitempty"`
}

func encode(profile string, x Secrets) ([]byte, error) {
	at := stored{Version: 1, Profile: profile, Refresh: x.RefreshToken, Login: x.LoginToken, Expires: x.LoginExpires}
	if len(x.Key) > 0 {
		if len(x.Key) != ed25519.PrivateKeySize {
			return nil, errors.New("the client's key is not an Ed25519 key")
		}
		at.Seed = x.Key.Seed()
	}
	return json.Marshal(at)
}

func decode(profile string, raw []byte) (Secrets, error) {
	var at stored
	if err := json.Unmarshal(raw, &at); err != nil {
		return Secrets{}, fmt.Errorf("read the stored sign-in: %w", err)
	}
	if at.Version != 1 || at.Profile != profile {
		return Secrets{}, errors.New("the stored sign-in is of another version or for another broker")
	}
	x := Secrets{RefreshToken: at.Refresh, LoginToken: at.Login, LoginExpires: at.Expires}
	if len(at.Seed) > 0 {
		if len(at.Seed) != ed25519.SeedSize {
			return Secrets{}, errors.New("the stored key has a wrong length")
		}
		x.Key = ed25519.NewKeyFromSeed(at.Seed)
	}
	return x, nil
}

// Load gives the secrets of a profile, or ErrNoSecrets. A file wins over the
// keyring: it is written only when the keyring fails and removed as soon as the
// keyring has the entry, so it is never the older one.
func (s *Store) Load(profile string) (Secrets, error) {
	e := s.entry(profile)
	raw, err := readPrivate(e.file)
	if err == nil {
		return decode(profile, raw)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return Secrets{}, err
	}
	text, err := s.ring.get(e.account)
	if s.ring.service == nil || errors.Is(err, keyring.ErrNotFound) {
		return Secrets{}, ErrNoSecrets
	}
	if err != nil {
		return Secrets{}, fmt.Errorf("%w, as far as can be told: the OS keyring failed (%w)", ErrNoSecrets, err)
	}
	return decode(profile, []byte(text))
}

// Save stores the secrets of a profile, in one step. It waits for a Renew of
// the same profile to end.
func (s *Store) Save(ctx context.Context, profile string, x Secrets) error {
	unlock, err := s.lock(ctx, profile)
	if err != nil {
		return err
	}
	defer unlock()
	return s.save(profile, x)
}

func (s *Store) save(profile string, x Secrets) error {
	e := s.entry(profile)
	raw, err := encode(profile, x)
	if err != nil {
		return err
	}
	ringErr := s.ring.set(e.account, string(raw))
	if ringErr == nil {
		return removeFile(e.file)
	}
	if err := s.makeDir(); err != nil {
		return err
	}
	if err := writePrivate(e.file, raw); err != nil {
		return err
	}
	s.warnOnce(e.file, ringErr)
	return nil
}

func (s *Store) warnOnce(file string, reason error) {
	if s.forced || s.warned.Swap(true) {
		return
	}
	fmt.Fprintf(s.warn, "warning: no OS keyring (%s): the sign-in is kept in %s, readable by you alone\n", plain(reason.Error()), file)
}

// Delete removes a profile's secrets everywhere. A keyring that is there but
// does not answer is an error, because the entry may still be in it.
func (s *Store) Delete(ctx context.Context, profile string) error {
	unlock, err := s.lock(ctx, profile)
	if err != nil {
		return err
	}
	defer unlock()
	e := s.entry(profile)
	return errors.Join(removeFile(e.file), s.ring.remove(e.account))
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the stored sign-in: %w", err)
	}
	return nil
}

func (s *Store) makeDir() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make the directory for sign-ins: %w", err)
	}
	return checkDir(s.dir)
}
