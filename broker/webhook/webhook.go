// Package webhook tells other systems, such as a chat, that an approval waits
// or has ended, or that the glass was broken.
//
// # Scope
//
// It delivers and nothing else: no answer is taken from what a receiver says,
// and nothing waits for it. A message shows what detectors leave of a statement,
// cut short; who wants to see all of it signs in. Messages are kept until they
// are delivered, for a day at most, also across a restart.
package webhook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hoop/broker/approval"
)

// Hook is one receiver.
type Hook struct {
	URL    string
	Secret []byte   // signs deliveries; none are signed where it is empty
	Format string   // json, slack or teams
	Events []string // opened, answered, ended, break_glass; all but answered where empty
}

// Check refuses a hook that cannot work.
func (h *Hook) Check() error {
	u, err := url.Parse(h.URL)
	switch {
	case err != nil || u.Host == "":
		return errors.New("url is missing, or is none")
	case u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost"):
		return errors.New("url must be https, or lead to this machine")
	case !slices.Contains([]string{"json", "slack", "teams"}, h.Format):
		return fmt.Errorf("format %q is none of json, slack, teams", h.Format)
	case h.Format == "json" && len(h.Secret) == 0:
		return errors.New("a secret is missing: the receiver could not tell whose message it is")
	}
	for _, e := range h.Events {
		if !slices.Contains([]string{approval.Opened, approval.Answered, approval.Ended, approval.Glass}, e) {
			return fmt.Errorf("%q is no event: opened, answered, ended, break_glass", e)
		}
	}
	return nil
}

func (h *Hook) wants(event string) bool {
	if len(h.Events) == 0 {
		return event != approval.Answered
	}
	return slices.Contains(h.Events, event)
}

// State keeps messages until they are delivered; broker/store has it.
type State interface {
	Put(ctx context.Context, bucket, key string, value []byte, until time.Time) error
	Delete(ctx context.Context, bucket, key string) error
	ForEach(ctx context.Context, bucket string, fn func(key string, value []byte) error) error
}

// Timing of deliveries.
const (
	bucket   = "webhooks"
	keep     = 24 * time.Hour
	longest  = 5 * time.Minute // between two attempts
	patience = 10 * time.Second
)

// Sender delivers messages. Configure and Announce may be called from several
// goroutines.
type Sender struct {
	state  State
	log    *slog.Logger
	client *http.Client
	first  time.Duration // pause after the first failure
	hooks  atomic.Pointer[[]Hook]
	news   chan struct{}

	mu   sync.Mutex
	last int64
}

// New makes a sender without hooks.
func New(state State, log *slog.Logger) *Sender {
	return &Sender{state: state, log: log, first: time.Second, news: make(chan struct{}, 1),
		client: &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Configure replaces the hooks. Messages for one that is gone are dropped.
func (s *Sender) Configure(hooks []Hook) { s.hooks.Store(&hooks) }

// message is one delivery that is not done.
type message struct {
	ID       string          `json:"id"`
	URL      string          `json:"url"` // of its hook
	Event    string          `json:"event"`
	Body     json.RawMessage `json:"body"`
	Created  time.Time       `json:"created"`
	Due      time.Time       `json:"due"`
	Attempts int             `json:"attempts"`
}

// Announce keeps a message for every hook that wants the event.
func (s *Sender) Announce(ev approval.Event) {
	hooks := s.hooks.Load()
	if hooks == nil {
		return
	}
	for i := range *hooks {
		h := &(*hooks)[i]
		if !h.wants(ev.What) {
			continue
		}
		if err := s.keep(h, &ev); err != nil {
			s.log.Error("a webhook message is lost", "event", ev.What, "error", err)
		}
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
}

func (s *Sender) keep(h *Hook, ev *approval.Event) error {
	body, err := json.Marshal(h.body(ev))
	if err != nil {
		return err
	}
	now := time.Now()
	return s.save(s.key(now), &message{ID: rand.Text(), URL: h.URL, Event: ev.What, Body: body, Created: now, Due: now})
}

// key sorts by time; no two are equal.
func (s *Sender) key(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, now.UnixNano())
	return fmt.Sprintf("%020d", s.last)
}

func (s *Sender) save(key string, m *message) error {
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.state.Put(context.Background(), bucket, key, value, m.Created.Add(keep))
}
