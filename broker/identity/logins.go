package identity

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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

// handle is a login in memory and the timer that ends it: at its expiry, or
// later where the login was renewed.
type handle struct {
	login *Login
	until time.Time
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
	h := &handle{login: &login, until: login.Expires}
	h.timer = time.AfterFunc(h.until.Sub(l.now()), func() { l.expire(hash, h) })
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

// List gives the logins that are good now, the oldest first.
func (l *Logins) List() []*Login {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*Login
	for _, h := range l.live {
		if h.login.ctx.Err() == nil && l.now().Before(h.login.Expires) {
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
