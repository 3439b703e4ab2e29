package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// noting wraps a key set and keeps its error: go-oidc turns errors into text on
// their way up, and "no keys to be had" must not look like "a false signature".
type noting struct {
	keys oidc.KeySet
	err  error
}

// VerifySignature verifies and notes.
func (n *noting) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := n.keys.VerifySignature(ctx, jwt)
	n.err = err
	return payload, err
}

// unreachable reports whether keys could not be had, for reasons that are not
// the token's.
func unreachable(err error) bool {
	var ue *url.Error
	var fe *fileError
	return errors.As(err, &ue) || errors.As(err, &fe) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// fileError is a key file that cannot be used.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// fileKeys verifies with the public keys of a file, read anew each time, so that
// rotating them is writing the file.
type fileKeys struct {
	path       string
	algorithms []jose.SignatureAlgorithm
}

// VerifySignature gives the payload of a token that a key of the file signed.
func (f *fileKeys) VerifySignature(_ context.Context, jwt string) ([]byte, error) {
	set, err := f.read()
	if err != nil {
		return nil, &fileError{err}
	}
	jws, err := jose.ParseSignedCompact(jwt, f.algorithms)
	if err != nil {
		return nil, err
	}
	kid := jws.Signatures[0].Header.KeyID
	for _, key := range set.Keys {
		if kid != "" && key.KeyID != kid || !key.IsPublic() {
			continue
		}
		if payload, err := jws.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key of jwks_file made the signature")
}

func (f *fileKeys) read() (*jose.JSONWebKeySet, error) {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("reading jwks_file: %w", err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("jwks_file %s is not a JSON Web Key Set (RFC 7517 §5): %w", f.path, err)
	}
	if len(set.Keys) == 0 {
		return nil, fmt.Errorf("jwks_file %s holds no key", f.path)
	}
	return &set, nil
}
