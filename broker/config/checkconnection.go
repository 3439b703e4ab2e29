package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hoop/broker"
)

func (k *checker) connection(s *source, path string, conn Connection, seen map[string]string) {
	if !nameRE.MatchString(conn.Name) {
		k.add(s, path+".name", "%q must match %s", conn.Name, nameRE)
	}
	if other, ok := seen[conn.Name]; ok {
		k.add(s, path+".name", "%q stands in %s already", conn.Name, other)
	}
	seen[conn.Name] = s.path
	if !slices.Contains(protocols, conn.Protocol) {
		k.add(s, path+".protocol", "%q is none of %s", conn.Protocol, strings.Join(protocols, ", "))
	}
	cred, ok := k.c.Credentials[conn.Credential]
	switch {
	case conn.Credential != "" && !ok:
		k.add(s, path+".credential", "there is no credential %q", conn.Credential)
	case ok && conn.Protocol != protocolSSH && broker.SecretKind(cred.Kind) != broker.Password && cred.Kind != "password":
		k.add(s, path+".credential", "%s is of kind %s, which only ssh takes", conn.Credential, cred.Kind)
	}
	if a := conn.Analysis; a != "" && a != analysisCached && a != analysisExact {
		k.add(s, path+".analysis", "%q is neither cached nor exact", a)
	}
	k.target(s, path+".target", &conn.Target)
	if conn.Protocol == protocolSSH {
		k.sshTarget(s, path, &conn)
	} else {
		k.databaseTarget(s, path+".target", &conn.Target)
	}
}

// The values of a connection's analysis.
const (
	analysisCached = "cached"
	analysisExact  = "exact"
)

func (k *checker) target(s *source, path string, t *Target) {
	switch {
	case (t.Host == "") == (t.Socket == ""):
		k.add(s, path, "needs either host or socket")
	case t.Host != "" && (t.Port < 0 || t.Port > 65535):
		k.add(s, path+".port", "%d is no port", t.Port)
	}
	if !slices.Contains(tlsModes, t.TLS.Mode) {
		k.add(s, path+".tls.mode", "%q is none of verify-full, verify-ca, require, disable", t.TLS.Mode)
	}
	if (t.TLS.CertFile == "") != (t.TLS.KeyFile == "") {
		k.add(s, path+".tls", "cert_file and key_file go together")
	}
}

func (k *checker) databaseTarget(s *source, path string, t *Target) {
	if t.Database == "" {
		k.add(s, path+".database", "is missing")
	}
	for name, list := range map[string][]string{"host_keys": t.HostKeys, "host_cas": t.HostCAs, "logins": t.Logins} {
		if list != nil {
			k.add(s, path+"."+name, "is for protocol ssh alone")
		}
	}
}

// sshTarget: the target's key is checked always, so that somebody has to say
// what it is.
func (k *checker) sshTarget(s *source, path string, conn *Connection) {
	t := &conn.Target
	if len(t.HostKeys) == 0 && len(t.HostCAs) == 0 {
		k.add(s, path+".target", "needs host_keys or host_cas, to know that the target is the right one: see ssh-keyscan")
	}
	for name, list := range map[string][]string{"host_keys": t.HostKeys, "host_cas": t.HostCAs} {
		for i, line := range list {
			if err := publicKey(line); err != nil {
				k.add(s, fmt.Sprintf("%s.target.%s[%d]", path, name, i), "%v", err)
			}
		}
	}
	if conn.Credential == "" {
		k.add(s, path+".credential", "is missing: how the broker logs in")
	}
	if t.Database != "" || t.Databases != nil || t.TLS != (TargetTLS{}) || conn.Analysis != "" {
		k.add(s, path, "database, databases, tls and analysis are for databases alone")
	}
}

// publicKey reads a line as authorized_keys has them, without options.
func publicKey(line string) error {
	words := strings.Fields(line)
	if len(words) < 2 {
		return errors.New("is no public key, such as ssh-ed25519 AAAA…")
	}
	blob, err := base64.StdEncoding.DecodeString(words[1])
	// The blob begins with the name of its type (RFC 4253 §6.6).
	if err != nil || len(blob) < 4+len(words[0]) || string(blob[4:4+len(words[0])]) != words[0] {
		return fmt.Errorf("is no public key of type %q", words[0])
	}
	return nil
}
