package issuer

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// deviceLifetime is how long a user code can be entered (RFC 8628 §3.2).
const deviceLifetime = 10 * time.Minute

var errDeviceUnknown = errors.New("code is unknown, used or expired")

type deviceAnswer uint8

const (
	unanswered deviceAnswer = iota
	refused
	confirmed
)

// deviceRequest is one device authorization (RFC 8628 §3.1).
type deviceRequest struct {
	code, userCode string
	client         string
	scopes         []string
	started        time.Time
	expires        time.Time
	asker          asker

	answer   deviceAnswer
	subject  string
	authTime time.Time

	interval time.Duration
	polled   time.Time
}

// asker is who started a device authorization, for the page that asks for
// consent: the address is seen, the program's name is only claimed.
type asker struct{ address, program string }

// devices holds device authorizations that are under way.
type devices struct {
	interval time.Duration
	mu       sync.Mutex
	byCode   map[string]*deviceRequest
	byUser   map[string]*deviceRequest
}

func newDevices(interval time.Duration) *devices {
	return &devices{
		interval: interval,
		byCode:   map[string]*deviceRequest{},
		byUser:   map[string]*deviceRequest{},
	}
}

// normalizeUserCode reads what people type: any case, spaces, with or without
// the dash (RFC 8628 §6.1).
func normalizeUserCode(typed string) string {
	letters := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, strings.ToUpper(typed))
	if len(letters) != 8 {
		return ""
	}
	return letters[:4] + "-" + letters[4:]
}

func (d *devices) add(r deviceRequest, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, old := range d.byCode {
		if now.After(old.expires) {
			d.removeLocked(old)
		}
	}
	if len(d.byCode) >= maxPending {
		return errTooMany
	}
	if d.byUser[r.userCode] != nil || d.byCode[r.code] != nil {
		return op.ErrDuplicateUserCode
	}
	r.started, r.interval = now, d.interval
	d.byCode[r.code], d.byUser[r.userCode] = &r, &r
	return nil
}

func (d *devices) removeLocked(r *deviceRequest) {
	delete(d.byCode, r.code)
	delete(d.byUser, r.userCode)
}

// waiting gives the request that a person may still answer.
func (d *devices) waiting(userCode string, now time.Time) (deviceRequest, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.byUser[userCode]
	if r == nil || now.After(r.expires) || r.answer != unanswered {
		return deviceRequest{}, errDeviceUnknown
	}
	return *r, nil
}

// settle writes a person's answer down, once.
func (d *devices) settle(userCode string, answer deviceAnswer, subject string, signedIn, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.byUser[userCode]
	if r == nil || now.After(r.expires) || r.answer != unanswered {
		return errDeviceUnknown
	}
	r.answer, r.subject, r.authTime = answer, subject, signedIn
	return nil
}

// poll gives the error code of RFC 8628 §3.5 that a poll has earned, or "" for
// a request that can be consumed.
func (d *devices) poll(client, code string, now time.Time) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.byCode[code]
	switch {
	case r == nil || r.client != client:
		return "invalid_grant"
	case now.After(r.expires):
		d.removeLocked(r)
		return "expired_token"
	case r.answer == refused:
		d.removeLocked(r)
		return "access_denied"
	case r.answer == confirmed:
		return ""
	}
	// Half a second of patience for clocks and networks that are not even.
	early := now.Sub(r.polled) < r.interval-500*time.Millisecond
	r.polled = now
	if early {
		r.interval += 5 * time.Second
		return "slow_down"
	}
	return "authorization_pending"
}

// consume takes a confirmed request out, in one step: of two who come with the
// same device code only one gets tokens.
func (d *devices) consume(client, code string, now time.Time) (*op.DeviceAuthorizationState, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.byCode[code]
	if r == nil || r.client != client || now.After(r.expires) || r.answer != confirmed {
		return nil, errDeviceUnknown
	}
	d.removeLocked(r)
	return &op.DeviceAuthorizationState{
		ClientID: r.client,
		Audience: []string{r.client},
		Scopes:   slices.Clone(r.scopes),
		Expires:  r.expires,
		Done:     true,
		Subject:  r.subject,
		AMR:      passwordOnly(),
		AuthTime: r.authTime,
	}, nil
}
