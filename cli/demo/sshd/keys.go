package sshd

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// makeKeys makes the server's key, signed by an authority of its own, and a key
// that may log in.
func (s *Server) makeKeys() error {
	ca, _, err := newKey()
	if err != nil {
		return err
	}
	host, hostPEM, err := newKey()
	if err != nil {
		return err
	}
	client, clientPEM, err := newKey()
	if err != nil {
		return err
	}
	cert, err := hostCertificate(ca, host.PublicKey())
	if err != nil {
		return err
	}
	s.HostCA, s.HostKey, s.ClientPublicKey = line(ca.PublicKey()), line(host.PublicKey()), line(client.PublicKey())
	s.ClientKey = s.path("client_key")
	return errors.Join(
		s.write("host_key", hostPEM), s.write("host_key-cert.pub", ssh.MarshalAuthorizedKey(cert)),
		s.write("client_key", clientPEM), s.write("client_key.pub", []byte(s.ClientPublicKey+"\n")),
		s.write("authorized_keys", []byte(s.ClientPublicKey+"\n")))
}

func newKey() (ssh.Signer, []byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	return signer, pem.EncodeToMemory(block), err
}

func hostCertificate(ca ssh.Signer, key ssh.PublicKey) (*ssh.Certificate, error) {
	cert := &ssh.Certificate{
		Key: key, CertType: ssh.HostCert, KeyId: "throwaway", ValidPrincipals: []string{"127.0.0.1", "localhost"},
		ValidAfter:  uint64(time.Now().Add(-time.Hour).Unix()),
		ValidBefore: uint64(time.Now().Add(24 * time.Hour).Unix()),
	}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		return nil, fmt.Errorf("sign the host key: %w", err)
	}
	return cert, nil
}

// line is a key as in authorized_keys, without comment.
func line(k ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k))) }
