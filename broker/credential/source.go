package credential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxSecret bounds one secret, in bytes: no password or key is longer, and a
// path that names a device must not fill the memory.
const maxSecret = 64 << 10

// Source says where a secret is. Exactly one field is set.
type Source struct {
	// Env names an environment variable of the broker.
	Env string `yaml:"env,omitempty"`
	// File is read each time the secret is needed, so that a rotated one is
	// used at once. One trailing newline is not part of the secret.
	File string `yaml:"file,omitempty"`
	// Store names an entry of the broker's own store (hoop credential set).
	Store string `yaml:"store,omitempty"`
}

// Check reports whether exactly one place is named, and well.
func (s Source) Check() error {
	n := 0
	for _, v := range []string{s.Env, s.File, s.Store} {
		if v != "" {
			n++
		}
	}
	switch {
	case n == 0:
		return errors.New("names no secret: set one of env, file or store")
	case n > 1:
		return errors.New("names several secrets: set only one of env, file or store")
	case s.Store != "":
		return CheckName(s.Store)
	case strings.ContainsAny(s.Env, "=\x00"):
		return fmt.Errorf("%q is no name of an environment variable", s.Env)
	}
	return nil
}

// String says where the secret is, not what it is.
func (s Source) String() string {
	switch {
	case s.Env != "":
		return "environment variable " + s.Env
	case s.File != "":
		return "file " + s.File
	case s.Store != "":
		return "stored credential " + s.Store
	}
	return "no credential"
}

// Resolver finds secrets.
type Resolver struct {
	// Dir is the folder that relative files start at.
	Dir string
	// Store answers sources that name it; nil refuses them.
	Store *Store
}

// Resolve fetches the secret anew: nothing is kept between two calls. A secret
// that is absent or empty is an error.
func (r *Resolver) Resolve(ctx context.Context, s Source) (Secret, error) {
	if err := s.Check(); err != nil {
		return Secret{}, err
	}
	if err := ctx.Err(); err != nil {
		return Secret{}, fmt.Errorf("reading %s: %w", s, err)
	}
	secret, err := r.fetch(s)
	if err != nil {
		return Secret{}, fmt.Errorf("reading %s: %w", s, err)
	}
	if secret.Empty() {
		return Secret{}, fmt.Errorf("reading %s: it is empty", s)
	}
	return secret, nil
}

// Check reports whether the secret can be had, without handing it out.
func (r *Resolver) Check(ctx context.Context, s Source) error {
	_, err := r.Resolve(ctx, s)
	return err
}

func (r *Resolver) fetch(s Source) (Secret, error) {
	switch {
	case s.Env != "":
		v, ok := os.LookupEnv(s.Env)
		if !ok {
			return Secret{}, errors.New("it is not set")
		}
		return NewSecret(v), nil
	case s.File != "":
		return readSecret(r.path(s.File))
	default:
		if r.Store == nil {
			return Secret{}, errors.New("no credential store is configured")
		}
		return r.Store.Get(s.Store)
	}
}

func (r *Resolver) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.Dir, name)
}

// readSecret reads a file and takes one trailing newline off.
func readSecret(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, bare(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return Secret{}, bare(err)
	}
	if info.IsDir() {
		return Secret{}, errors.New("it is a directory")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return Secret{}, bare(err)
	}
	if len(data) > maxSecret {
		return Secret{}, fmt.Errorf("it is longer than %d bytes", maxSecret)
	}
	text := strings.TrimSuffix(string(data), "\n")
	return NewSecret(strings.TrimSuffix(text, "\r")), nil
}

// bare drops the path from an *os.PathError where the message has it already.
func bare(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
