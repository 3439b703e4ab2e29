package issuer

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed pages/*.html pages/style.css
var pageFiles embed.FS

// pages draws the sign-in and consent pages. They need no script: the content
// policy forbids it, and allows the one style sheet by its digest.
type pages struct {
	storage   *storage
	verifier  *verifier
	tickets   *tickets
	base      *url.URL
	templates *template.Template
	style     template.CSS
	csrfKey   [32]byte
	byUser    *throttle
	byAddress *throttle
	codes     *throttle
	allCodes  *throttle
	log       *slog.Logger
}

func newPages(s *storage, base *url.URL, log *slog.Logger) *pages {
	style, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		panic(err) // embedded at build time
	}
	p := &pages{
		storage:   s,
		verifier:  newVerifier(s.usersFile),
		tickets:   &tickets{byID: map[string]ticket{}},
		base:      base,
		templates: template.Must(template.ParseFS(pageFiles, "pages/*.html")),
		style:     template.CSS(style),
		byUser:    newThrottle(5, 10*time.Second),
		byAddress: newThrottle(20, 3*time.Second),
		// RFC 8628 §5.1: 20^8 codes and these limits leave a guess hopeless.
		codes:    newThrottle(10, 6*time.Second),
		allCodes: newThrottle(50, time.Second),
		log:      log,
	}
	rand.Read(p.csrfKey[:]) // never fails, crypto/rand
	return p
}

// route adds the pages. Posts from other origins are refused twice over: by
// what browsers say of the request, and by the token in the form.
func (p *pages) route(mux *http.ServeMux) {
	mux.Handle("GET "+signInPath, p.sameBrowser(http.HandlerFunc(p.showSignIn)))
	mux.Handle("POST "+signInPath, p.ownForm(p.sameBrowser(http.HandlerFunc(p.signIn))))
	mux.Handle("GET "+devicePath, p.withBrowser(http.HandlerFunc(p.showDeviceCode)))
	mux.Handle("POST "+devicePath, p.ownForm(http.HandlerFunc(p.enterDeviceCode)))
	mux.Handle("GET "+deviceLoginPath, http.HandlerFunc(p.showDeviceSignIn))
	mux.Handle("POST "+deviceLoginPath, p.ownForm(http.HandlerFunc(p.deviceSignIn)))
	mux.Handle("GET "+deviceAskPath, http.HandlerFunc(p.showDeviceAsk))
	mux.Handle("POST "+deviceAskPath, p.ownForm(http.HandlerFunc(p.answerDevice)))
}

type browserKey struct{}

func browserFrom(ctx context.Context) []byte {
	b, _ := ctx.Value(browserKey{}).([]byte)
	return b
}

// cookieName takes the __Host- prefix where browsers allow it: over https.
func (p *pages) cookieName() string {
	if p.base.Scheme == "https" {
		return "__Host-hoop-browser"
	}
	return "hoop-browser"
}

// withBrowser gives the browser a random cookie, if it has none, and tells the
// handlers behind it which browser this is.
func (p *pages) withBrowser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value := p.browserCookie(r)
		if value == "" {
			value = newSecret()
			http.SetCookie(w, &http.Cookie{
				Name: p.cookieName(), Value: value, Path: "/", HttpOnly: true,
				Secure: p.base.Scheme == "https", SameSite: http.SameSiteLaxMode,
			})
			r.AddCookie(&http.Cookie{Name: p.cookieName(), Value: value})
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), browserKey{}, digest(value))))
	})
}

func (p *pages) browserCookie(r *http.Request) string {
	c, err := r.Cookie(p.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

// sameBrowser lets only the browser that started a sign-in go on with it: who
// sends a person a link to a sign-in of their own gets nothing from it.
func (p *pages) sameBrowser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, err := p.storage.requests.get(r.FormValue("id"), time.Now())
		if err != nil || subtle.ConstantTimeCompare(a.browser, digest(p.browserCookie(r))) != 1 {
			p.fail(w, http.StatusBadRequest, "This sign-in is unknown or has expired.",
				"Start it again from your terminal, and finish it in the browser window that opens.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownForm refuses a post that one of our pages did not send.
func (p *pages) ownForm(next http.Handler) http.Handler {
	checked := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie := p.browserCookie(r)
		if cookie == "" || !hmac.Equal([]byte(r.PostFormValue("csrf")), []byte(p.csrf(cookie))) {
			p.fail(w, http.StatusForbidden, "This form is not from this site, or cookies are switched off.",
				"Open the page again and send the form from there.")
			return
		}
		next.ServeHTTP(w, r)
	})
	return http.NewCrossOriginProtection().Handler(checked)
}

// csrf derives the form token from the browser's cookie.
func (p *pages) csrf(cookie string) string {
	mac := hmac.New(sha256.New, p.csrfKey[:])
	mac.Write([]byte(cookie))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// view is everything a page may show.
type view struct {
	Title   string
	Style   template.CSS
	CSRF    string
	Error   string
	Hint    string
	ID      string
	Code    string
	Login   string
	Client  string
	Name    string
	Address string
	Program string
	Age     string
}

// show writes a page. formTarget is an origin beyond our own that a form may
// lead to, because browsers apply form-action to the redirect after it.
func (p *pages) show(w http.ResponseWriter, status int, page string, v view, formTarget string) {
	v.Style = p.style
	p.guard(w.Header(), formTarget)
	w.WriteHeader(status)
	if err := p.templates.ExecuteTemplate(w, page, v); err != nil {
		p.log.Warn("write a page", "page", page, "error", err)
	}
}

func (p *pages) guard(h http.Header, formTarget string) {
	sum := sha256.Sum256([]byte(p.style))
	h.Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; form-action 'self' %s; "+
		"frame-ancestors 'none'; base-uri 'none'", base64.StdEncoding.EncodeToString(sum[:]), formTarget))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// Not no-referrer: that makes browsers send "Origin: null" with our forms.
	h.Set("Referrer-Policy", "same-origin")
}

func (p *pages) fail(w http.ResponseWriter, status int, message, hint string) {
	p.show(w, status, "message.html", view{Title: "That did not work", Error: message, Hint: hint}, "")
}

// redirectOrigin is the origin of a redirect URI for form-action, or nothing
// where the grammar has no place for it (IPv6 literals, CSP3 §2.3.1).
func redirectOrigin(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil || strings.ContainsAny(u.Host, "[;, '\"") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
