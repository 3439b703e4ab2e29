package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// loopback signs in through a browser on this machine: authorization code with
// PKCE, and a redirect to a free port on loopback (RFC 8252 §7.3, RFC 7636).
func (p *Provider) loopback(ctx context.Context, o Options) (Tokens, error) {
	limit := o.Timeout
	if limit <= 0 {
		limit = 5 * time.Minute
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrExpired)
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Tokens{}, fmt.Errorf("listen for the browser: %w", err)
	}
	conf := p.oauth
	conf.RedirectURL = "http://" + l.Addr().String() + "/callback"
	try := attempt{verifier: oauth2.GenerateVerifier(), state: random(), nonce: random()}
	door := newDoor(l.Addr().String(), try.state, p.issuer)
	stop := door.open(l)
	defer stop()
	address := conf.AuthCodeURL(try.state, oidc.Nonce(try.nonce), oauth2.S256ChallengeOption(try.verifier))
	opened := startBrowser(o, address)
	return p.await(ctx, conf, try, door, opened, o.voice())
}

// attempt is what binds one sign-in together.
type attempt struct{ verifier, state, nonce string }

func random() string {
	b := make([]byte, 24)
	rand.Read(b) // never fails, crypto/rand
	return base64.RawURLEncoding.EncodeToString(b)
}

// startBrowser tells the person where to go and opens a browser there. The
// browser may stay in the foreground for as long as it runs, so nobody waits
// for it to end; the channel carries its failure to start.
func startBrowser(o Options, address string) <-chan error {
	v := o.voice()
	opened := make(chan error, 1)
	if o.NoBrowser {
		v.say(event{Event: "open_browser", URL: address}, "Open this address in a browser on this machine to sign in:\n\n  "+address+"\n")
		return opened
	}
	v.say(event{Event: "browser", URL: address}, "Opening a browser to sign in. If none appears, open this address on this machine:\n\n  "+address+"\n")
	open := o.Open
	if open == nil {
		open = openBrowser
	}
	go func() { opened <- open(address) }()
	return opened
}

// await waits for the browser to come back and exchanges the code. The page in
// the browser is written last, so that it tells how the exchange went.
func (p *Provider) await(ctx context.Context, conf oauth2.Config, try attempt, d *door, opened <-chan error, v voice) (Tokens, error) {
	for {
		select {
		case err := <-opened:
			if err != nil {
				v.say(event{Event: "warning", Message: "no browser could be opened"},
					"No browser could be opened ("+plain(err.Error())+"). Open the address above yourself, or press Ctrl-C and use `hoop login --device`.")
			}
		case back := <-d.arrivals:
			tokens, err := p.exchange(ctx, conf, try, back)
			back.outcome <- err
			return tokens, err
		case <-ctx.Done():
			return Tokens{}, fmt.Errorf("wait for the browser: %w", context.Cause(ctx))
		}
	}
}

func (p *Provider) exchange(ctx context.Context, conf oauth2.Config, try attempt, back arrival) (Tokens, error) {
	if back.code == "" {
		return Tokens{}, explained(ErrRefused, back.problem, back.description)
	}
	token, err := conf.Exchange(p.context(ctx), back.code, oauth2.VerifierOption(try.verifier))
	if code, description := oauthError(err); code != "" {
		return Tokens{}, explained(ErrRefused, code, description)
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("exchange the code: %w", unreachable(err))
	}
	return p.verify(ctx, token, try.nonce)
}

// door is the small server that the browser comes back to.
type door struct {
	host, state, issuer string
	arrivals            chan arrival
	closed              chan struct{}
}

// arrival is a browser that came back with our state.
type arrival struct {
	code                 string
	problem, description string
	outcome              chan error
}

func newDoor(host, state, issuer string) *door {
	return &door{host: host, state: state, issuer: issuer, arrivals: make(chan arrival), closed: make(chan struct{})}
}

// open serves the listener until the function it returns has been called.
func (d *door) open(l net.Listener) (stop func()) {
	server := &http.Server{
		Handler:           d,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		MaxHeaderBytes:    32 << 10,
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(l) // ends with Shutdown, below
	}()
	return func() {
		close(d.closed)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if errors.Is(server.Shutdown(ctx), context.DeadlineExceeded) {
			server.Close()
		}
		<-served
	}
}

// ServeHTTP takes the redirect (RFC 6749 §4.1.2). Whatever does not carry our
// state is answered and forgotten: any page could send a browser here, and must
// not be able to end or to replace the sign-in that waits (RFC 9700 §4.7).
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	ours := r.Method == http.MethodGet && r.URL.Path == "/callback" && r.Host == d.host &&
		subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(d.state)) == 1
	// RFC 9207 §2.4: an issuer that names itself must be the one we asked.
	if iss := q.Get("iss"); iss != "" && iss != d.issuer {
		ours = false
	}
	if !ours || q.Get("code") == "" && q.Get("error") == "" {
		page(w, http.StatusBadRequest, "This is not the sign-in that hoop waits for.")
		return
	}
	a := arrival{code: q.Get("code"), problem: q.Get("error"), description: q.Get("error_description"), outcome: make(chan error, 1)}
	select {
	case d.arrivals <- a:
	case <-d.closed:
		page(w, http.StatusGone, "This sign-in is over already.")
		return
	}
	if err := <-a.outcome; err != nil {
		page(w, http.StatusOK, "The sign-in failed. Your terminal says why.")
		return
	}
	page(w, http.StatusOK, "You are signed in. You may close this window.")
}

// page writes one sentence of ours; nothing of the request is repeated in it.
func page(w http.ResponseWriter, status int, sentence string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"+
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>hoop</title><p>%s</p></html>\n", sentence)
}
