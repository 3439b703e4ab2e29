package credential

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// PassphraseFileEnv names the environment variable that names a file with the
// passphrase of the store's key.
const PassphraseFileEnv = "HOOP_STORE_PASSPHRASE_FILE"

// Key opens the store. It is an X25519 identity of age, in a file that may
// itself be encrypted with a passphrase; so the slow scrypt runs once a start
// and not once a secret.
type Key struct{ identity *age.X25519Identity }

// String names the public half only.
func (k *Key) String() string { return k.identity.Recipient().String() }

// GoString names the public half only.
func (k *Key) GoString() string { return k.String() }

// CreateKey makes a key and writes it to a new file of mode 0600. With a
// passphrase that is not empty, the file is encrypted with it. A file that
// exists is never replaced: every secret under it would be lost.
func CreateKey(path string, passphrase Secret) (*Key, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	text := fmt.Sprintf("# key of hoop's credential store\n# public key: %s\n%s\n", id.Recipient(), id)
	data := []byte(text)
	if !passphrase.Empty() {
		if data, err = seal(data, passphrase); err != nil {
			return nil, fmt.Errorf("encrypting the key: %w", err)
		}
	}
	if err := writeNew(path, data); err != nil {
		return nil, fmt.Errorf("writing the key: %w", err)
	}
	return &Key{id}, nil
}

// ReadKey reads a key file. It refuses one that others may read, and asks for a
// passphrase only where the file is encrypted.
func ReadKey(path string, passphrase func() (Secret, error)) (*Key, error) {
	data, err := readPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("reading the store's key: %w", err)
	}
	if bytes.HasPrefix(data, []byte(armor.Header)) {
		if data, err = unlock(data, passphrase); err != nil {
			return nil, fmt.Errorf("opening the store's key %s: %w", path, err)
		}
	}
	ids, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil || len(ids) != 1 {
		return nil, fmt.Errorf("the store's key %s is not one age identity (AGE-SECRET-KEY-1…)", path)
	}
	id, ok := ids[0].(*age.X25519Identity)
	if !ok {
		return nil, fmt.Errorf("the store's key %s is not an X25519 identity", path)
	}
	return &Key{id}, nil
}

// ReadPassphrase reads a passphrase from a file that only its owner may read.
func ReadPassphrase(path string) (Secret, error) {
	data, err := readPrivate(path)
	if err != nil {
		return Secret{}, fmt.Errorf("reading the passphrase: %w", err)
	}
	p := NewSecret(strings.TrimRight(string(data), "\r\n"))
	if p.Empty() {
		return Secret{}, fmt.Errorf("the passphrase file %s is empty", path)
	}
	return p, nil
}

func seal(data []byte, passphrase Secret) ([]byte, error) {
	r, err := age.NewScryptRecipient(passphrase.Reveal())
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	armored := armor.NewWriter(&buf)
	if err := encrypt(armored, data, r); err != nil {
		return nil, err
	}
	if err := armored.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func unlock(data []byte, passphrase func() (Secret, error)) ([]byte, error) {
	if passphrase == nil {
		return nil, errors.New("it is encrypted: give its passphrase with passphrase_file or " + PassphraseFileEnv)
	}
	p, err := passphrase()
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(p.Reveal())
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(data)), id)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, errors.New("the passphrase is wrong")
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxSecret))
}

func encrypt(dst io.Writer, data []byte, to age.Recipient) error {
	w, err := age.Encrypt(dst, to)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Close()
}

// readPrivate reads a small file after checking who else may.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(path, info); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxSecret))
}
