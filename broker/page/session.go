package page

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"sync"

	"hoop/broker/approval"
	"hoop/broker/identity"
)

// sessionCookie is sent with requests that begin at a page of ours, and only
// then; the prefix binds it to this host and to TLS.
const sessionCookie = "__Host-hoop-page"

// maxSessions bounds their memory.
const maxSessions = 10_000

// session is one browser that is signed in. It hangs on a login: that ends, by
// expiry or because somebody revokes it, and the session with it.
type session struct {
	login *identity.Login
	key   ed25519.PrivateKey
	csrf  string
}

// sessions are in memory alone, and so are their keys: a restart signs
// everybody out.
type sessions struct {
	mu       sync.Mutex
	byCookie map[string]*session // by the hash of the cookie
}

// add gives the cookie of a new session, "" where there are too many.
func (a *sessions) add(s *session) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for cookie, old := range a.byCookie {
		if old.login.Ended().Err() != nil {
			delete(a.byCookie, cookie)
		}
	}
	if len(a.byCookie) >= maxSessions {
		return ""
	}
	s.csrf = rand.Text()
	value := rand.Text() + rand.Text()
	a.byCookie[hashed(value)] = s
	return value
}

func (a *sessions) of(r *http.Request) *session {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.byCookie[hashed(c.Value)]
	if s == nil || s.login.Ended().Err() != nil {
		return nil
	}
	return s
}

func hashed(cookie string) string {
	sum := sha256.Sum256([]byte(cookie))
	return string(sum[:])
}

func cookie(name, value string, strict http.SameSite) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: strict}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// approver is who answers here.
func (p *Pages) approver(r *http.Request, s *session) *approval.Approver {
	return &approval.Approver{Principal: s.login.Principal, Chain: s.login.Chain(), Key: s.login.Key,
		Client: p.Logins.ClientAddress(r), Binding: approval.ViaPage, Via: approval.ViaPage}
}

// as runs a page for who is signed in, and lets others sign in.
func (p *Pages) as(next func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := p.sessions.of(r)
		switch {
		case s != nil:
			next(w, r, s)
		case r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.URL.RawQuery == "":
			// A link in a chat: the strict cookie comes only with a request that
			// begins here.
			p.write(w, http.StatusOK, "next.html", nil, view{Title: "One moment", Next: r.URL.Path + "?here"})
		default:
			p.offerSignIn(w, r.PathValue("id"))
		}
	}
}

// asOwnForm runs what a form of ours asks for.
func (p *Pages) asOwnForm(next func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return p.as(func(w http.ResponseWriter, r *http.Request, s *session) {
		if subtle.ConstantTimeCompare([]byte(r.PostFormValue("csrf")), []byte(s.csrf)) != 1 {
			p.tell(w, http.StatusForbidden, s, "This form is not from this page.", "Open the approval again and answer there.")
			return
		}
		next(w, r, s)
	})
}
