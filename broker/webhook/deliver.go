package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// The headers of a delivery. The signature is "v1=" and HMAC-SHA-256, in
// hexadecimal, over the timestamp, a dot and the body. A receiver refuses
// timestamps that are old, and deliveries that it has seen.
const (
	eventHeader     = "Hoop-Event"
	deliveryHeader  = "Hoop-Delivery"
	timestampHeader = "Hoop-Timestamp"
	signatureHeader = "Hoop-Signature"
)

// Run delivers until ctx is done.
func (s *Sender) Run(ctx context.Context) {
	for {
		wait := time.NewTimer(s.deliverDue(ctx))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-s.news:
		case <-wait.C:
		}
		wait.Stop()
	}
}

type kept struct {
	key string
	message
}

// deliverDue tries what is due, in order, and tells how long to wait for more.
func (s *Sender) deliverDue(ctx context.Context) time.Duration {
	var due []kept
	wait := longest
	err := s.state.ForEach(ctx, bucket, func(key string, value []byte) error {
		k := kept{key: key}
		if err := json.Unmarshal(value, &k.message); err != nil {
			return fmt.Errorf("read message %s: %w", key, err)
		}
		if left := time.Until(k.Due); left > 0 {
			wait = min(wait, left)
			return nil
		}
		due = append(due, k)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.log.Error("webhook messages cannot be read", "error", err)
	}
	for i := range due {
		if ctx.Err() != nil {
			break
		}
		wait = min(wait, s.attempt(ctx, &due[i]))
	}
	return wait
}

// attempt tries one message once and tells how long to wait for its next try.
func (s *Sender) attempt(ctx context.Context, k *kept) time.Duration {
	h := s.hook(k.URL)
	err := error(nil)
	if h != nil {
		err = s.post(ctx, h, &k.message)
	}
	if err == nil {
		if err := s.state.Delete(context.WithoutCancel(ctx), bucket, k.key); err != nil {
			s.log.Error("a delivered webhook message stays", "error", err)
		}
		return longest
	}
	k.Attempts++
	pause := min(s.first<<min(k.Attempts-1, 20), longest)
	k.Due = time.Now().Add(pause)
	s.log.Warn("a webhook message is not delivered", "event", k.Event, "attempts", k.Attempts, "again", pause, "error", err)
	if err := s.save(k.key, &k.message); err != nil {
		s.log.Error("a webhook message is not kept", "error", err)
	}
	return pause
}

func (s *Sender) hook(url string) *Hook {
	hooks := s.hooks.Load()
	if hooks == nil {
		return nil
	}
	for i := range *hooks {
		if (*hooks)[i].URL == url {
			return &(*hooks)[i]
		}
	}
	return nil
}

// post sends one message. Errors do not name the URL, which may be a secret.
func (s *Sender) post(ctx context.Context, h *Hook, m *message) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(m.Body))
	if err != nil {
		return fmt.Errorf("make the request")
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "hoop")
	req.Header.Set(eventHeader, m.Event)
	req.Header.Set(deliveryHeader, m.ID)
	req.Header.Set(timestampHeader, now)
	if len(h.Secret) > 0 {
		req.Header.Set(signatureHeader, sign(h.Secret, now, m.Body))
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s cannot be reached", req.URL.Host)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %d", req.URL.Host, resp.StatusCode)
	}
	return nil
}

func sign(secret []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}
