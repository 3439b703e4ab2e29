package ssh

import (
	"errors"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
)

// CheckKey reports what is wrong with a private key that a credential holds.
func CheckKey(key []byte) error {
	_, err := parseKey(key)
	return err
}

func parseKey(key []byte) (gossh.Signer, error) {
	signer, err := gossh.ParsePrivateKey(key)
	var locked *gossh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, errors.New("the private key has a passphrase, which nobody is there to type: ssh-keygen -p removes it")
	case err != nil: // its text may hold some of the key
		return nil, errors.New("holds no private key that could be read, such as one of ssh-keygen")
	}
	return signer, nil
}

// CheckTarget reports what is wrong with the keys that a target must have.
func CheckTarget(t *broker.Target) error {
	_, err := clientConfig(t, "")
	return err
}
