package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	_ "embed" // the configuration
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed hoop.yaml
var hoopYAML string

// issuerURL is an issuer that nobody can reach: its keys stand in a file.
const issuerURL = "https://bench.invalid"

// startHoop runs a broker with its own configuration and a client that keeps a
// listener: policy, masking, detectors and audit on, TLS on both network hops.
func (w *world) startHoop(ctx context.Context) (*target, error) {
	dir := filepath.Join(w.dir, "hoop")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := w.writeHoop(dir, port); err != nil {
		return nil, err
	}
	broker, err := w.start("hoop-broker", exec.Command(w.options.hoop, "broker", "run", "--config", filepath.Join(dir, "hoop.yaml")))
	if err != nil {
		return nil, err
	}
	local, err := freePort()
	if err != nil {
		return nil, err
	}
	t := &target{title: "hoop", port: local, broker: []*process{broker}}
	client, err := w.connectHoop(ctx, dir, port, local, broker)
	if err != nil {
		return nil, err
	}
	t.between = []*process{client, broker}
	if err := w.await(ctx, client, t.dsn(w)); err != nil || w.options.connection == "plain" {
		return t, err
	}
	return t, checkMasked(ctx, w, t)
}

// writeHoop writes the configuration, the target's password and the token that
// stands for a person's sign-in.
func (w *world) writeHoop(dir string, port int) error {
	r := strings.NewReplacer("{{port}}", fmt.Sprint(port), "{{pg}}", fmt.Sprint(w.pgPort), "{{cert}}", w.certs.cert,
		"{{key}}", w.certs.key, "{{ca}}", w.certs.ca, "{{issuer}}", issuerURL, "{{dir}}", dir)
	token, jwks, err := makeToken()
	if err != nil {
		return err
	}
	var errs []error
	for name, text := range map[string]string{
		"hoop.yaml": r.Replace(hoopYAML), "password": password, "token": token, "jwks.json": jwks,
	} {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return errors.Join(errs...)
}

// connectHoop starts the client as soon as the broker answers.
func (w *world) connectHoop(ctx context.Context, dir string, port, local int, broker *process) (*process, error) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		client := exec.Command(w.options.hoop, "connect", w.options.connection, "--listen", "--format", "json",
			"--port", fmt.Sprint(local), "--socket-dir", filepath.Join(dir, "sockets"))
		client.Env = append(os.Environ(), "HOOP_BROKER=https://127.0.0.1:"+fmt.Sprint(port), "HOOP_CA_FILE="+w.certs.ca,
			"HOOP_TOKEN_FILE="+filepath.Join(dir, "token"), "HOOP_CONFIG_DIR="+dir, "HOOP_KEYRING=file")
		out, err := client.StdoutPipe()
		if err != nil {
			return nil, err
		}
		p, err := w.start("hoop-client", client)
		if err != nil {
			return nil, err
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err == nil && strings.Contains(line, `"ready"`) {
			return p, nil
		}
		select {
		case <-broker.done:
			return nil, broker.failed()
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		w.processes = w.processes[:len(w.processes)-1]
		if err := p.stop(os.Interrupt); err != nil || time.Now().After(deadline) {
			return nil, errors.Join(err, p.failed())
		}
	}
}

// makeToken signs a workload's token (RFC 7519) and gives the key set that
// verifies it (RFC 7517).
func makeToken() (token, jwks string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{"iss": issuerURL, "sub": "bench", "aud": "hoop-bench",
		"iat": now.Unix(), "exp": now.Add(6 * time.Hour).Unix(), "job": "bench"})
	if err != nil {
		return "", "", err
	}
	enc := base64.RawURLEncoding.EncodeToString
	signed := enc([]byte(`{"alg":"ES256","typ":"JWT","kid":"bench"}`)) + "." + enc(claims)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return "", "", err
	}
	// RFC 7518 §3.4: R and S, 32 bytes each, one behind the other.
	sig := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return "", "", err
	}
	set, err := json.Marshal(map[string]any{"keys": []map[string]string{{"kty": "EC", "crv": "P-256", "kid": "bench",
		"alg": "ES256", "use": "sig", "x": enc(point[1:33]), "y": enc(point[33:])}}})
	return signed + "." + enc(sig), string(set), err
}
