package recorder

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"
)

const (
	signingKeyFile = "log.key"
	publicKeyFile  = "log.pub"
	digestKeyFile  = "digest.key"
)

// openSigner reads the key that signs checkpoints and makes it on first use.
// The key's name is the log's origin for ever. It also gives the public key and
// puts it beside the log.
func openSigner(dir, file, origin string) (signer note.Signer, public string, err error) {
	if file == "" {
		file = filepath.Join(dir, signingKeyFile)
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = makeKey(dir, file, origin)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the log's signing key: %w", err)
	}
	secret := strings.TrimSpace(string(data))
	if signer, err = note.NewSigner(secret); err != nil {
		return nil, "", fmt.Errorf("read the log's signing key %s: %w", file, err)
	}
	if origin != "" && origin != signer.Name() {
		return nil, "", fmt.Errorf("the log's origin is %q and the key %s is of %q", origin, file, signer.Name())
	}
	if public, err = publicOf(secret, signer.Name()); err != nil {
		return nil, "", fmt.Errorf("read the log's signing key %s: %w", file, err)
	}
	return signer, public, keepPublic(dir, public)
}

func makeKey(dir, file, origin string) ([]byte, error) {
	if segments, err := listSegments(dir); err != nil || len(segments) > 0 {
		return nil, errors.Join(err, fmt.Errorf("the log in %s has events and %s is missing", dir, file))
	}
	if origin == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("name the log: %w", err)
		}
		origin = "hoop/" + host
	}
	if strings.ContainsAny(origin, " +\t\n") {
		return nil, fmt.Errorf("%q cannot name a log: it has a space or a plus", origin)
	}
	secret, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	return []byte(secret), writeFile(file, []byte(secret+"\n"), 0o600)
}

// publicOf derives the verifier key. A secret note key reads
// PRIVATE+KEY+name+hash+base64(1 ‖ Ed25519 seed).
func publicOf(secret, name string) (string, error) {
	_, encoded, _ := strings.Cut(strings.TrimPrefix(secret, "PRIVATE+KEY+"+name+"+"), "+")
	seed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return "", errors.New("it is no Ed25519 note key")
	}
	public := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(name, public)
}

// keepPublic puts the public key beside the log, and refuses one of another.
func keepPublic(dir, public string) error {
	have, err := PublicKey(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = writeFile(filepath.Join(dir, publicKeyFile), []byte(public+"\n"), 0o644)
		have = public
	}
	if err != nil {
		return fmt.Errorf("keep the log's public key: %w", err)
	}
	if have != public {
		return fmt.Errorf("%s in %s does not belong to the log's signing key", publicKeyFile, dir)
	}
	return nil
}

// PublicKey gives the key that checks the checkpoints of the log in dir. Who
// does not trust that folder keeps a copy elsewhere.
func PublicKey(dir string) (string, error) {
	key, err := os.ReadFile(filepath.Join(dir, publicKeyFile))
	if err != nil {
		return "", fmt.Errorf("read the log's public key: %w", err)
	}
	return strings.TrimSpace(string(key)), nil
}

// digester computes keyed digests. A plain hash of a short statement could be
// guessed; with the log's secret only its owner can compare.
type digester struct {
	key  []byte
	pool sync.Pool // of *mac
}

type mac struct {
	hash.Hash
	sum [sha256.Size]byte
	hex [2 * sha256.Size]byte
}

func openDigester(dir string) (*digester, error) {
	file := filepath.Join(dir, digestKeyFile)
	key, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, sha256.Size)
		if _, err := rand.Read(key); err != nil {
			return nil, fmt.Errorf("make the log's digest key: %w", err)
		}
		err = writeFile(file, key, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("keep the log's digest key: %w", err)
	}
	if len(key) != sha256.Size {
		return nil, fmt.Errorf("the log's digest key %s has %d bytes, not %d", file, len(key), sha256.Size)
	}
	d := &digester{key: key}
	d.pool.New = func() any { return &mac{Hash: hmac.New(sha256.New, d.key)} }
	return d, nil
}

// digest is HMAC-SHA-256 in lower-case hexadecimal.
func (d *digester) digest(exact []byte) string {
	m := d.pool.Get().(*mac)
	m.Reset()
	m.Write(exact)
	hex.Encode(m.hex[:], m.Sum(m.sum[:0]))
	s := string(m.hex[:])
	d.pool.Put(m)
	return s
}

// writeFile makes a small file whole or not at all, and durable.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}
