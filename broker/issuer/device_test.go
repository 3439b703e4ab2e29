package issuer_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"hoop/broker/issuer"
)

func (w *world) startDevice() *oauth2.DeviceAuthResponse {
	w.t.Helper()
	conf := w.config("")
	d, err := conf.DeviceAuth(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// poll asks once for the tokens of a device.
func (w *world) poll(code string) (status int, body string) {
	w.t.Helper()
	b := newBrowser(w.t)
	r, err := b.client.PostForm(w.url+"/oauth/token", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"hoop"}, "device_code": {code},
	})
	b.take(r, err)
	return b.status, b.body
}

func (w *world) wantPoll(code, want string) {
	w.t.Helper()
	if status, body := w.poll(code); status != http.StatusBadRequest || !strings.Contains(body, `"`+want+`"`) {
		w.t.Errorf("poll: %d %s, want %s", status, body, want)
	}
}

// answer walks a person through the device pages.
func (w *world) answer(d *oauth2.DeviceAuthResponse, answer string) *browser {
	w.t.Helper()
	b := newBrowser(w.t)
	b.get(d.VerificationURIComplete)
	if !strings.Contains(b.body, d.UserCode) {
		w.t.Fatalf("the code is not filled in:\n%s", b.body)
	}
	b.submit(url.Values{"user_code": {d.UserCode}})
	b.submit(url.Values{"login": {"alice@example.com"}, "password": {alicePassword}})
	for _, want := range []string{"127.0.0.1", "Go-http-client", d.UserCode, "alice"} {
		if !strings.Contains(b.body, want) {
			w.t.Errorf("the question does not show %q:\n%s", want, b.body)
		}
	}
	b.submit(url.Values{"answer": {answer}})
	return b
}

func TestDeviceCodeGivesTokensOnce(t *testing.T) {
	w := newWorld(t)
	d := w.startDevice()
	if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(d.UserCode) {
		t.Errorf("user code %q", d.UserCode)
	}
	w.wantPoll(d.DeviceCode, "authorization_pending")
	w.answer(d, "yes")
	conf := w.config("")
	token, err := conf.DeviceAccessToken(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	if claims := w.claims(token); claims["sub"] != "alice" || claims["email"] != "alice@example.com" {
		t.Errorf("claims %v", claims)
	}
	if _, err := w.refresh(token.RefreshToken); err != nil {
		t.Errorf("refresh after a device sign-in: %v", err)
	}
	w.wantPoll(d.DeviceCode, "invalid_grant")
}

func TestOfManyPollsOneGetsTokens(t *testing.T) {
	w := newWorld(t)
	d := w.startDevice()
	w.answer(d, "yes")
	statuses := make(chan int, 16)
	for range cap(statuses) {
		go func() {
			status, _ := w.poll(d.DeviceCode)
			statuses <- status
		}()
	}
	won := 0
	for range cap(statuses) {
		if <-statuses == http.StatusOK {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d polls got tokens, want 1", won)
	}
}

func TestRefusedDeviceGetsNothing(t *testing.T) {
	w := newWorld(t)
	for _, answer := range []string{"no", "", "YES"} {
		d := w.startDevice()
		w.answer(d, answer)
		w.wantPoll(d.DeviceCode, "access_denied")
		w.wantPoll(d.DeviceCode, "invalid_grant")
	}
}

func TestPollingTooFastIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	d := w.startDevice()
	w.wantPoll(d.DeviceCode, "authorization_pending")
	w.wantPoll(d.DeviceCode, "slow_down")
}

func TestDeviceCodeOfAnotherClientIsRefused(t *testing.T) {
	w := newWorld(t)
	w.stop()
	w.cfg.Clients = []issuer.Client{issuer.DefaultClient(), {ID: "other"}}
	w.start()
	d := w.startDevice()
	w.answer(d, "yes")
	conf := w.config("")
	conf.ClientID = "other"
	_, err := conf.DeviceAccessToken(context.Background(), d)
	wantRefusal(t, err, "invalid_grant")
}

func TestDisabledPersonGetsNoTokens(t *testing.T) {
	w := newWorld(t)
	d := w.startDevice()
	w.answer(d, "yes")
	w.setUser(issuer.User{Name: "alice", Disabled: true}, alicePassword)
	if status, body := w.poll(d.DeviceCode); status == http.StatusOK {
		t.Errorf("a disabled person got tokens: %s", body)
	}
}

func TestUserCodeGuessesAreLimited(t *testing.T) {
	w := newWorld(t)
	d := w.startDevice()
	b := newBrowser(t)
	b.get(w.url + "/device")
	for i := range 10 {
		b.submit(url.Values{"user_code": {"BBBB-BBBB"}})
		if b.status != http.StatusNotFound {
			t.Fatalf("guess %d: status %d, want 404", i, b.status)
		}
	}
	b.submit(url.Values{"user_code": {d.UserCode}})
	if b.status != http.StatusTooManyRequests {
		t.Errorf("after ten wrong codes: status %d, want 429", b.status)
	}
}

// The question cannot be answered without signing in, and a page of one
// browser is no use to another.
func TestDevicePagesCannotBeSkipped(t *testing.T) {
	w := newWorld(t)
	d := w.startDevice()
	b := newBrowser(t)
	b.get(d.VerificationURI)
	b.submit(url.Values{"user_code": {strings.ToLower(strings.ReplaceAll(d.UserCode, "-", " "))}})
	ticket := b.at.Query().Get("id")
	if ticket == "" {
		t.Fatalf("no ticket: %d %s", b.status, b.body)
	}
	form := b.hidden()
	form.Set("answer", "yes")
	r, err := b.client.PostForm(w.url+"/device/confirm", form)
	if b.take(r, err); b.status != http.StatusForbidden {
		t.Errorf("answer without sign-in: status %d", b.status)
	}
	other := newBrowser(t)
	other.get(w.url + "/device")
	other.get(w.url + "/device/sign-in?id=" + ticket)
	if other.status != http.StatusBadRequest {
		t.Errorf("another browser's ticket: status %d", other.status)
	}
	w.wantPoll(d.DeviceCode, "authorization_pending")
}
