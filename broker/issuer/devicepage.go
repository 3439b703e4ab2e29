package issuer

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// ticket is one browser's way through the device pages: which code it entered,
// who signed in.
type ticket struct {
	browser  []byte
	userCode string
	subject  string
	signedIn time.Time
	expires  time.Time
}

type tickets struct {
	mu   sync.Mutex
	byID map[string]ticket
}

func (t *tickets) put(id string, k ticket, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for old, k := range t.byID {
		if now.After(k.expires) {
			delete(t.byID, old)
		}
	}
	if _, known := t.byID[id]; !known && len(t.byID) >= maxPending {
		return errTooMany
	}
	t.byID[id] = k
	return nil
}

// get gives a ticket to the browser that it was made for.
func (t *tickets) get(id, cookie string, now time.Time) (ticket, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.byID[id]
	ok = ok && now.Before(k.expires) && subtle.ConstantTimeCompare(k.browser, digest(cookie)) == 1
	return k, ok
}

func (t *tickets) remove(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, id)
}

// showDeviceCode asks for the user code. One that came in the link is filled in
// but not taken: the person compares it with their terminal (RFC 8628 §3.3.1).
func (p *pages) showDeviceCode(w http.ResponseWriter, r *http.Request) {
	p.codeForm(w, r, http.StatusOK, "")
}

func (p *pages) codeForm(w http.ResponseWriter, r *http.Request, status int, problem string) {
	p.show(w, status, "code.html", view{
		Title: "Enter the code", CSRF: p.csrf(p.browserCookie(r)), Error: problem,
		Code: plainText(r.FormValue("user_code"), 16),
	}, "")
}

// enterDeviceCode checks the code; wrong ones are counted against guessing.
func (p *pages) enterDeviceCode(w http.ResponseWriter, r *http.Request) {
	now, address := time.Now(), peerAddress(r)
	if wait := p.takeCodeTry(address, now); wait > 0 {
		p.log.Warn("user code tries used up", "address", address)
		p.codeForm(w, r, http.StatusTooManyRequests,
			fmt.Sprintf("Too many wrong codes. Wait %s and try again.", wait.Round(time.Second)))
		return
	}
	code := normalizeUserCode(r.PostFormValue("user_code"))
	if _, err := p.storage.devices.waiting(code, now); err != nil {
		p.codeForm(w, r, http.StatusNotFound, "No sign-in waits for this code. Compare it with your terminal.")
		return
	}
	p.codes.giveBack(address, now)
	p.allCodes.giveBack("", now)
	id := newSecret()
	k := ticket{browser: digest(p.browserCookie(r)), userCode: code, expires: now.Add(deviceLifetime)}
	if err := p.tickets.put(id, k, now); err != nil {
		p.fail(w, http.StatusServiceUnavailable, "Too many sign-ins are waiting.", "Try again in a minute.")
		return
	}
	http.Redirect(w, r, deviceLoginPath+"?id="+url.QueryEscape(id), http.StatusSeeOther)
}

// takeCodeTry limits wrong codes from one address, and from all together. A try
// that the first refuses is not counted by the second.
func (p *pages) takeCodeTry(address string, now time.Time) time.Duration {
	if wait := p.codes.take(address, now); wait > 0 {
		return wait
	}
	return p.allCodes.take("", now)
}

// withTicket runs use for the browser that holds the ticket and while its
// device request still waits.
func (p *pages) withTicket(w http.ResponseWriter, r *http.Request, use func(id string, k ticket, d deviceRequest)) {
	now, id := time.Now(), r.FormValue("id")
	k, ok := p.tickets.get(id, p.browserCookie(r), now)
	d, err := p.storage.devices.waiting(k.userCode, now)
	if !ok || err != nil {
		p.fail(w, http.StatusBadRequest, "This sign-in is unknown, answered or has expired.", "Start it again from your terminal.")
		return
	}
	use(id, k, d)
}

// showDeviceSignIn shows the form of a sign-in for a device.
func (p *pages) showDeviceSignIn(w http.ResponseWriter, r *http.Request) {
	p.withTicket(w, r, func(id string, _ ticket, d deviceRequest) {
		p.deviceSignInForm(w, r, http.StatusOK, id, d, "")
	})
}

func (p *pages) deviceSignInForm(w http.ResponseWriter, r *http.Request, status int, id string, d deviceRequest, problem string) {
	p.show(w, status, "signin.html", view{
		Title: "Sign in", CSRF: p.csrf(p.browserCookie(r)), ID: id, Client: d.client, Code: d.userCode,
		Login: r.PostFormValue("login"), Error: problem,
	}, "")
}

// deviceSignIn checks the password and goes on to the question.
func (p *pages) deviceSignIn(w http.ResponseWriter, r *http.Request) {
	p.withTicket(w, r, func(id string, k ticket, d deviceRequest) {
		u, status, problem := p.authenticate(r)
		if problem != "" {
			p.deviceSignInForm(w, r, status, id, d, problem)
			return
		}
		k.subject, k.signedIn = u.Name, time.Now()
		if err := p.tickets.put(id, k, k.signedIn); err != nil {
			p.fail(w, http.StatusServiceUnavailable, "Too many sign-ins are waiting.", "Try again in a minute.")
			return
		}
		http.Redirect(w, r, deviceAskPath+"?id="+url.QueryEscape(id), http.StatusSeeOther)
	})
}

// showDeviceAsk shows who asks, from where and since when: a code that somebody
// else started and sent along is the known attack on this flow (RFC 8628 §5.4).
func (p *pages) showDeviceAsk(w http.ResponseWriter, r *http.Request) {
	p.withTicket(w, r, func(id string, k ticket, d deviceRequest) {
		if k.subject == "" {
			http.Redirect(w, r, deviceLoginPath+"?id="+url.QueryEscape(id), http.StatusSeeOther)
			return
		}
		p.show(w, http.StatusOK, "confirm.html", view{
			Title: "Is this you?", CSRF: p.csrf(p.browserCookie(r)), ID: id, Code: d.userCode, Client: d.client,
			Name: k.subject, Address: d.asker.address, Program: d.asker.program,
			Age: time.Since(d.started).Round(time.Second).String(),
		}, "")
	})
}

// answerDevice takes the answer. Anything but a clear yes refuses.
func (p *pages) answerDevice(w http.ResponseWriter, r *http.Request) {
	p.withTicket(w, r, func(id string, k ticket, d deviceRequest) {
		if k.subject == "" {
			p.fail(w, http.StatusForbidden, "Nobody has signed in here.", "Start it again from your terminal.")
			return
		}
		answer := refused
		if r.PostFormValue("answer") == "yes" {
			answer = confirmed
		}
		p.tickets.remove(id)
		if err := p.storage.devices.settle(k.userCode, answer, k.subject, k.signedIn, time.Now()); err != nil {
			p.fail(w, http.StatusBadRequest, "This sign-in is answered or has expired.", "Start it again from your terminal.")
			return
		}
		p.log.Info("device sign-in answered", "user", k.subject, "confirmed", answer == confirmed, "asker", d.asker.address)
		p.show(w, http.StatusOK, "message.html", doneView(answer), "")
	})
}

func doneView(answer deviceAnswer) view {
	if answer == confirmed {
		return view{Title: "You are signed in", Hint: "Go back to your terminal. You may close this window."}
	}
	return view{Title: "Refused", Hint: "Nothing was signed in. If you did not start this, tell whoever looks after hoop at your place."}
}
