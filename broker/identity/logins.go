package identity

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hoop/policy"
)

const (
	loginBucket = "logins"
	tokenPrefix = "hl1_"
	tokenSize   = 32 // random bytes
	// keepEnded is how long a login that has ended is remembered, to tell its
	// client that it expired and not that it is unknown.
	keepEnded = 24 * time.Hour
)

// State keeps logins across a restart. broker/store has it. Get answers with
// fs.ErrNotExist where there is nothing.
type State interface {
	Get(ctx context.Context, bucket, key string) ([]byte, error)
	Put(ctx context.Context, bucket, key string, value []byte, until time.Time) error
	ForEach(ctx context.Context, bucket string, fn func(key string, value []byte) error) error
}

// LoginsConfig is what Logins stands on.
type LoginsConfig struct {
	State State        // required
	Log   *slog.Logger // required
	// Proxies may end TLS before the broker.
	Proxies []netip.Prefix
	// PublicHost is the host that clients dial, from the broker's public URL.
	// Behind a proxy it is what their proofs must name. Where it is empty the
	// Host header that the proxy passes on must match instead, which is only as
	// good as the proxy's own check of it.
	PublicHost string
	Now        func() time.Time // time.Now where nil
}

// Logins issues logins, recognises them and ends them. What the store says
// counts; in memory stand only the handles that live sessions hang on.
type Logins struct {
	state      State
	log        *slog.Logger
	now        func() time.Time
	nonces     *nonces
	proxies    atomic.Pointer[proxies]
	publicHost string

	mu     sync.Mutex
	live   map[string]*handle // by the hash of the token
	closed bool
}

// handle is a login in memory and the timer that ends it.
type handle struct {
	login *Login
	timer *time.Timer
}

// NewLogins picks up the logins that the store has.
func NewLogins(ctx context.Context, c LoginsConfig) (*Logins, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	l := &Logins{state: c.State, log: c.Log, now: c.Now, nonces: newNonces(c.Now),
		publicHost: c.PublicHost, live: map[string]*handle{}}
	l.TrustProxies(c.Proxies)
	err := c.State.ForEach(ctx, loginBucket, func(hash string, value []byte) error {
		var rec record
		if err := json.Unmarshal(value, &rec); err != nil {
			return fmt.Errorf("login %s is damaged: %w", hash, err)
		}
		if rec.Revoked == nil && l.now().Before(rec.Expires) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.adopt(hash, &rec)
		}
		return nil
	})
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("picking up logins: %w", err)
	}
	return l, nil
}

// TrustProxies replaces the load balancers that may end TLS before the broker.
func (l *Logins) TrustProxies(list []netip.Prefix) {
	p := proxies(slices.Clone(list))
	l.proxies.Store(&p)
}

// ClientAddress is where a request comes from, seen through trusted proxies.
func (l *Logins) ClientAddress(r *http.Request) string { return l.proxies.Load().client(r) }

// Issue makes a login for a principal that was verified, bound to the key that
// its client proved to hold. The token is shown this once: the store keeps its
// hash.
func (l *Logins) Issue(ctx context.Context, p *policy.Principal, key ed25519.PublicKey, ttl time.Duration, meta Meta) (string, *Login, error) {
	if len(key) != ed25519.PublicKeySize || ttl <= 0 {
		return "", nil, errors.New("issuing a login: it needs an Ed25519 key and a time to live")
	}
	token := tokenPrefix + base64.RawURLEncoding.EncodeToString(random(tokenSize))
	now := l.now().UTC()
	rec := &record{Login: Login{
		ID: "lg_" + hex.EncodeToString(random(8)), Principal: *p, Key: slices.Clone(key),
		Issued: now, Expires: now.Add(ttl), Meta: meta,
	}}
	hash := hashToken(token)
	if err := l.save(ctx, hash, rec); err != nil {
		return "", nil, unavailable("the login cannot be kept", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	login := l.adopt(hash, rec)
	if login == nil {
		return "", nil, unavailable("the broker is shutting down", nil)
	}
	return token, login, nil
}

// adopt gives the one handle of a login, making it where there is none. The
// caller holds mu. It is nil once Logins is closed.
func (l *Logins) adopt(hash string, rec *record) *Login {
	if l.closed {
		return nil
	}
	if h, ok := l.live[hash]; ok {
		return h.login
	}
	login := rec.Login
	login.ctx, login.stop = context.WithCancelCause(context.Background())
	h := &handle{login: &login}
	h.timer = time.AfterFunc(login.Expires.Sub(l.now()), func() { l.expire(hash, h) })
	l.live[hash] = h
	return &login
}

func (l *Logins) expire(hash string, h *handle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live[hash] == h {
		delete(l.live, hash)
	}
	h.login.stop(ErrExpired)
}

// find reads what the store says of a token, and gives its handle.
func (l *Logins) find(ctx context.Context, token string) (*Login, error) {
	hash := hashToken(token)
	value, err := l.state.Get(ctx, loginBucket, hash)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(ErrUnknownLogin, "this broker does not know the login", hintLogin)
	}
	var rec record
	if err == nil {
		err = json.Unmarshal(value, &rec)
	}
	if err != nil {
		return nil, l.unavailable(ctx, "the login cannot be checked", err)
	}
	if rec.Revoked != nil {
		return nil, revoked(rec.Reason)
	}
	if !l.now().Before(rec.Expires) {
		return nil, expired(rec.Expires)
	}
	l.mu.Lock()
	login := l.adopt(hash, &rec)
	l.mu.Unlock()
	if login == nil {
		return nil, l.unavailable(ctx, "the broker is shutting down", nil)
	}
	if cause := context.Cause(login.ctx); errors.Is(cause, ErrRevoked) { // between the read and here
		return nil, revoked("")
	} else if cause != nil {
		return nil, expired(rec.Expires)
	}
	return login, nil
}

func revoked(reason string) *Refusal {
	text := "the login was revoked"
	if reason != "" {
		text += ": " + reason
	}
	return refuse(ErrRevoked, text, hintLogin)
}

func expired(at time.Time) *Refusal {
	return refuse(ErrExpired, "the login has expired, at "+at.UTC().Format(time.RFC3339), hintLogin)
}

// Revoke ends a login: its token is refused from now on, and its live sessions
// end at once. They end even where the store fails, which is then the error: the
// login would be good again after a restart. It is ErrUnknownLogin where no
// login has the id.
func (l *Logins) Revoke(ctx context.Context, id, reason string) error {
	n, err := l.revoke(ctx, func(login *Login) bool { return login.ID == id }, reason)
	if err == nil && n == 0 {
		return fmt.Errorf("%w: %s", ErrUnknownLogin, id)
	}
	return err
}

// RevokePrincipal ends all logins of a principal and tells how many.
func (l *Logins) RevokePrincipal(ctx context.Context, principalID, reason string) (int, error) {
	return l.revoke(ctx, func(login *Login) bool { return login.Principal.ID == principalID }, reason)
}

func (l *Logins) revoke(ctx context.Context, which func(*Login) bool, reason string) (int, error) {
	ended := l.end(which, fmt.Errorf("%w: %s", ErrRevoked, reason))
	now := l.now().UTC()
	var failed []error
	for hash, login := range ended {
		if err := l.save(ctx, hash, &record{Login: *login, Revoked: &now, Reason: reason}); err != nil {
			failed = append(failed, fmt.Errorf("revoking login %s for good: %w", login.ID, err))
		}
	}
	return len(ended), errors.Join(failed...)
}

// end ends handles before anything is written: nobody waits for a disk here.
func (l *Logins) end(which func(*Login) bool, cause error) map[string]*Login {
	l.mu.Lock()
	defer l.mu.Unlock()
	ended := map[string]*Login{}
	for hash, h := range l.live {
		if which(h.login) {
			h.login.stop(cause)
			ended[hash] = h.login
		}
	}
	return ended
}

// List gives the logins that are good now, the oldest first.
func (l *Logins) List() []*Login {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*Login
	for _, h := range l.live {
		if h.login.ctx.Err() == nil {
			out = append(out, h.login)
		}
	}
	slices.SortFunc(out, func(a, b *Login) int {
		return cmp.Or(a.Issued.Compare(b.Issued), strings.Compare(a.ID, b.ID))
	})
	return out
}

// Close stops recognising logins. They stay in the store.
func (l *Logins) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, h := range l.live {
		h.timer.Stop()
		h.login.stop(errClosed)
	}
}

var errClosed = errors.New("the broker is shutting down")

func (l *Logins) save(ctx context.Context, hash string, rec *record) error {
	value, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return l.state.Put(ctx, loginBucket, hash, value, rec.Expires.Add(keepEnded))
}

func (l *Logins) unavailable(ctx context.Context, message string, cause error) *Refusal {
	r := unavailable(message, cause)
	l.log.WarnContext(ctx, message, "cause", cause)
	return r
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return b
}
