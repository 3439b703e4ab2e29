package credential

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
)

// ErrNotFound is the answer for a name that the store does not have.
var ErrNotFound = errors.New("no such credential")

const suffix = ".age"

// StoreConfig says where the store and its key are.
type StoreConfig struct {
	// Dir holds one encrypted file a secret; credentials in the data directory
	// where absent.
	Dir string `yaml:"dir,omitempty"`
	// KeyFile is the store's key, as hoop broker init makes it; store.key in the
	// data directory where absent.
	KeyFile string `yaml:"key_file,omitempty"`
	// PassphraseFile holds the passphrase of a key file that is encrypted.
	PassphraseFile string `yaml:"passphrase_file,omitempty"`
}

// Passphrase gives the function that reads the passphrase from the configured
// file, from the file that HOOP_STORE_PASSPHRASE_FILE names, or else asks. ask
// may be nil.
func (c StoreConfig) Passphrase(ask func() (Secret, error)) func() (Secret, error) {
	path := c.PassphraseFile
	if path == "" {
		path = os.Getenv(PassphraseFileEnv)
	}
	if path == "" {
		return ask
	}
	return func() (Secret, error) { return ReadPassphrase(path) }
}

// Store is a directory of secrets, one encrypted file each. It may be changed
// by one process while another reads: a file is replaced whole or not at all.
type Store struct {
	dir string
	key *Key
}

// entry is what a file holds. The name stands inside too, so that a file that
// was renamed or copied over another does not pass for it.
type entry struct {
	Name   string    `json:"name"`
	Secret string    `json:"secret"`
	Set    time.Time `json:"set"`
}

// OpenStore opens the store in dir, which is made with mode 0700 where absent.
// It tries the key on what is there, so that a wrong one shows at the start.
func OpenStore(dir string, key *Key) (*Store, error) {
	if key == nil {
		return nil, errors.New("opening the credential store: it needs a key")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the credential store: %w", err)
	}
	s := &Store{dir: dir, key: key}
	names, err := s.List()
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		if _, err := s.Get(names[0]); err != nil {
			return nil, fmt.Errorf("opening the credential store: %w", err)
		}
	}
	return s, nil
}

// Set keeps a secret under a name, in place of an earlier one. It returns once
// the secret has reached the disk.
func (s *Store) Set(name string, secret Secret) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if n := len(secret.Reveal()); n == 0 || n > maxSecret {
		return fmt.Errorf("credential %s: a secret has 1 to %d bytes, not %d", name, maxSecret, n)
	}
	plain, err := json.Marshal(entry{Name: name, Secret: secret.Reveal(), Set: time.Now().UTC()})
	if err != nil {
		return fmt.Errorf("credential %s: %w", name, err)
	}
	var buf bytes.Buffer
	if err := encrypt(&buf, plain, s.key.identity.Recipient()); err != nil {
		return fmt.Errorf("encrypting credential %s: %w", name, err)
	}
	if err := replace(s.path(name), buf.Bytes()); err != nil {
		return fmt.Errorf("writing credential %s: %w", name, err)
	}
	return nil
}

// Get reads a secret. It is ErrNotFound where there is none of that name.
func (s *Store) Get(name string) (Secret, error) {
	if err := CheckName(name); err != nil {
		return Secret{}, err
	}
	e, err := s.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Secret{}, fmt.Errorf("%w: %s (hoop credential set %s)", ErrNotFound, name, name)
	}
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return Secret{}, fmt.Errorf("credential %s was encrypted to another key than %s", name, s.key)
	}
	if err != nil {
		return Secret{}, fmt.Errorf("decrypting credential %s: %w", name, err)
	}
	if e.Name != name {
		return Secret{}, fmt.Errorf("the file of credential %s holds the one of %q: it was moved", name, e.Name)
	}
	return NewSecret(e.Secret), nil
}

func (s *Store) read(name string) (*entry, error) {
	f, err := os.Open(s.path(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	r, err := age.Decrypt(f, s.key.identity)
	if err != nil {
		return nil, err
	}
	e := &entry{}
	// A secret of maxSecret bytes grows sixfold at most when written as JSON.
	if err := json.NewDecoder(io.LimitReader(r, 7*maxSecret)).Decode(e); err != nil {
		return nil, errors.New("it is damaged")
	}
	return e, nil
}

// List names what the store holds, sorted.
func (s *Store) List() ([]string, error) {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("listing credentials: %w", err)
	}
	var names []string
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), suffix)
		if ok && CheckName(name) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Delete removes a secret. It is ErrNotFound where there is none of that name.
func (s *Store) Delete(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	err := os.Remove(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err != nil {
		return fmt.Errorf("deleting credential %s: %w", name, err)
	}
	return syncDir(s.dir)
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name+suffix) }

// names are lower case, so that they stay apart on file systems that fold case.
var names = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// CheckName reports whether a credential may be called so.
func CheckName(name string) error {
	if !names.MatchString(name) {
		return fmt.Errorf("%q is no name for a credential: use up to 63 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit", name)
	}
	return nil
}
