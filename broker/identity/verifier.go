package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"hoop/policy"
)

const (
	// skew is how far clocks may differ.
	skew = time.Minute
	// maxAge is how old an ID token may be at login: it goes from the issuer to
	// the broker by way of the client, and nowhere else.
	maxAge = 5 * time.Minute
	// maxToken bounds a token, in bytes; Entra's with 200 groups has about 9,000.
	maxToken = 32 << 10

	tokenBucket = "tokens"
)

// Replays remembers what was used. broker/store has it.
type Replays interface {
	Once(ctx context.Context, bucket, key string, until time.Time) (first bool, err error)
}

// Config says whose tokens to believe.
type Config struct {
	Issuers   []IssuerConfig
	Workloads []WorkloadConfig
	Replays   Replays          // required
	Log       *slog.Logger     // required
	Now       func() time.Time // time.Now where nil
}

// Verifier turns ID tokens and workload tokens into principals. A reload makes
// a new one.
type Verifier struct {
	issuers   map[string]*issuer
	workloads map[string][]*WorkloadConfig // by issuer
	replays   Replays
	log       *slog.Logger
	now       func() time.Time
}

// Verified is what a token proved.
type Verified struct {
	Principal policy.Principal
	// Workload is the name of the entry that let a workload in; "" for people.
	Workload string
	// Expires is the end of the token, not of a login.
	Expires time.Time
}

// NewVerifier checks the configuration and reads the files that it names; it
// asks nothing of the network.
func NewVerifier(c Config) (*Verifier, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	v := &Verifier{issuers: map[string]*issuer{}, workloads: map[string][]*WorkloadConfig{},
		replays: c.Replays, log: c.Log, now: c.Now}
	for _, ic := range c.Issuers {
		if _, twice := v.issuers[ic.URL]; twice {
			return nil, fmt.Errorf("issuer %s is configured twice", ic.URL)
		}
		i, err := newIssuer(ic, c.Now)
		if err != nil {
			return nil, err
		}
		v.issuers[ic.URL] = i
	}
	for n := range c.Workloads {
		if err := v.addWorkload(c.Workloads[n]); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (v *Verifier) addWorkload(w WorkloadConfig) error {
	if err := w.Check(); err != nil {
		return fmt.Errorf("workload %s: %w", w.Name, err)
	}
	i, ok := v.issuers[w.Issuer]
	if !ok {
		return fmt.Errorf("workload %s: issuer %s is not configured", w.Name, w.Issuer)
	}
	if i.config.Login && w.Audience == i.config.audience() {
		return fmt.Errorf("workload %s: audience %q is the one that people log in with: a person's token must not pass for a workload", w.Name, w.Audience)
	}
	v.workloads[w.Issuer] = append(v.workloads[w.Issuer], &w)
	return nil
}

// VerifyLogin verifies a token that somebody logs in with. Where the client sent
// a nonce to the issuer, it must stand in the token; "" checks nothing. Each
// token is accepted once, except those of a workload that is configured
// reusable. The error is a *Refusal.
func (v *Verifier) VerifyLogin(ctx context.Context, raw, nonce string) (*Verified, error) {
	i, err := v.issuerOf(raw)
	if err != nil {
		return nil, err
	}
	c, signed, err := i.verify(ctx, raw)
	if err != nil {
		v.logUnavailable(ctx, err)
		return nil, err
	}
	expires, _, err := c.time("exp")
	if err != nil {
		return nil, refuse(ErrToken, err.Error(), hintLogin)
	}
	got, reusable, err := v.identify(i, c)
	if err != nil {
		return nil, err
	}
	got.Expires = expires
	if !reusable {
		if err := v.checkFresh(c); err != nil {
			return nil, err
		}
	}
	if err := checkNonce(c, nonce); err != nil {
		return nil, err
	}
	if !reusable {
		if err := v.useOnce(ctx, i.config.URL, signed, expires); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// issuerOf finds who claims to have made a token. Nothing is believed yet.
func (v *Verifier) issuerOf(raw string) (*issuer, error) {
	iss, err := peekIssuer(raw)
	if err != nil {
		return nil, refuse(ErrToken, err.Error(), hintLogin)
	}
	if i, ok := v.issuers[iss]; ok {
		return i, nil
	}
	const google = "accounts.google.com" // Google's older tokens leave the scheme out
	if i, ok := v.issuers["https://"+iss]; ok && iss == google {
		return i, nil
	}
	return nil, refuse(ErrToken, fmt.Sprintf("the token comes from %s, which this broker does not believe", quote(iss)),
		"run hoop login; if this is the right issuer, add it to identity.issuers with exactly this url")
}

// peekIssuer reads iss from a compact JWS (RFC 7515 §7.1) without verifying.
func peekIssuer(raw string) (string, error) {
	if len(raw) > maxToken {
		return "", fmt.Errorf("the token is longer than %d bytes", maxToken)
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("this is not an ID token: it has %d parts, not 3 (an access token is of no use here)", len(parts))
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return "", fmt.Errorf("this is not an ID token: its payload is not base64url")
	}
	var c struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(payload, &c); err != nil || c.Issuer == "" {
		return "", fmt.Errorf("this is not an ID token: its payload names no issuer")
	}
	return c.Issuer, nil
}

// identify says who the token is for, by its audience: a workload or a person.
func (v *Verifier) identify(i *issuer, c claims) (got *Verified, reusable bool, err error) {
	audience, _, err := c.list("aud")
	if err != nil {
		return nil, false, refuse(ErrToken, err.Error(), hintLogin)
	}
	var tried []*WorkloadConfig
	for _, w := range v.workloads[i.config.URL] {
		if !slices.Contains(audience, w.Audience) {
			continue
		}
		if tried = append(tried, w); !w.matches(c) {
			continue
		}
		p, err := w.principal(i.config.URL, c)
		if err != nil {
			return nil, false, err
		}
		return &Verified{Principal: *p, Workload: w.Name}, w.Reusable, nil
	}
	if len(tried) > 0 {
		return nil, false, refuse(ErrToken, mismatch(tried), "compare the token's claims with identity.workloads in the broker's configuration")
	}
	if err := i.checkAudience(audience, c); err != nil {
		return nil, false, err
	}
	p, err := i.person(c)
	if err != nil {
		return nil, false, err
	}
	return &Verified{Principal: *p}, false, nil
}

// checkAudience obeys OpenID Connect Core §3.1.3.7, rules 3 to 5.
func (i *issuer) checkAudience(audience []string, c claims) error {
	want := i.config.audience()
	if !i.config.Login || !slices.Contains(audience, want) {
		return refuse(ErrToken, fmt.Sprintf("the token was made for %s, not for this broker", quote(strings.Join(audience, ", "))), hintLogin)
	}
	azp, present := c.get("azp")
	switch {
	case present && azp != i.config.ClientID:
		return refuse(ErrToken, fmt.Sprintf("the token was given to another client (azp is not %s)", quote(i.config.ClientID)), hintLogin)
	case !present && len(audience) > 1:
		return refuse(ErrToken, "the token has several audiences and does not say whom it was given to (azp)", hintLogin)
	}
	return nil
}

// checkFresh refuses a token that was not made just now: a device flow has no
// nonce to bind a token to this login.
func (v *Verifier) checkFresh(c claims) error {
	issued, ok, err := c.time("iat")
	switch now := v.now(); {
	case err != nil:
		return refuse(ErrToken, err.Error(), hintLogin)
	case !ok:
		return refuse(ErrToken, "the token does not say when it was made (iat)", hintLogin)
	case issued.After(now.Add(skew)):
		return refuse(ErrToken, "the token was made in the future: compare the clocks of the broker and the issuer", hintLogin)
	case now.Sub(issued) > maxAge:
		return refuse(ErrToken, fmt.Sprintf("the token is older than %s, too old to log in with", maxAge), hintLogin)
	}
	return nil
}

func checkNonce(c claims, nonce string) error {
	if nonce == "" {
		return nil
	}
	got, _ := c.text("nonce")
	if subtle.ConstantTimeCompare([]byte(got), []byte(nonce)) != 1 {
		return refuse(ErrToken, "the token answers another login than this one (nonce)", hintLogin)
	}
	return nil
}

// useOnce remembers the token by what was signed. Its text would not do: a
// signature can be written in several ways (an ECDSA one has a twin), and each
// would be a new text.
func (v *Verifier) useOnce(ctx context.Context, iss string, signed []byte, expires time.Time) error {
	h := sha256.New()
	h.Write([]byte(iss))
	h.Write([]byte{0})
	h.Write(signed)
	first, err := v.replays.Once(ctx, tokenBucket, hex.EncodeToString(h.Sum(nil)), expires)
	if err != nil {
		r := unavailable("whether this token was used before cannot be checked", err)
		v.logUnavailable(ctx, r)
		return r
	}
	if !first {
		return refuse(ErrReplayed, "this token has logged in before, and each does so once", hintLogin)
	}
	return nil
}

// logUnavailable keeps the cause, which the client is not told.
func (v *Verifier) logUnavailable(ctx context.Context, err error) {
	if r, ok := err.(*Refusal); ok && r.Code == CodeUnavailable {
		v.log.WarnContext(ctx, r.Message, "cause", r.cause)
	}
}
