package issuer

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// Paths. The library's own are in its op.DefaultEndpoints.
const (
	signInPath      = "/sign-in"
	devicePath      = "/device"
	deviceLoginPath = "/device/sign-in"
	deviceAskPath   = "/device/confirm"
	authorizePath   = "/authorize"
	callbackPath    = "/authorize/callback"
	tokenPath       = "/oauth/token"
	deviceAuthPath  = "/device_authorization"
)

// maxBody is more than any form or token request needs, in bytes.
const maxBody = 64 << 10

// handler routes exactly what is offered; the library's other endpoints
// (introspection, end of session) are not reachable.
func (i *Issuer) handler(base *url.URL) http.Handler {
	provider := i.provider
	p := newPages(i.storage, base, i.log)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+oidc.DiscoveryEndpoint, discovery(base.String()))
	mux.Handle("GET /healthz", provider)
	mux.Handle("GET /keys", provider)
	mux.Handle("/userinfo", provider)
	mux.Handle("POST /revoke", provider)
	mux.Handle("POST "+tokenPath, i.answerPoll(provider))
	mux.Handle("POST "+deviceAuthPath, withAsker(provider))
	mux.Handle("GET "+authorizePath, p.withBrowser(provider))
	mux.Handle("GET "+callbackPath, p.sameBrowser(provider))
	p.route(mux)
	return onlyHost(base.Host, limitBody(mux))
}

// onlyHost refuses requests under another name: a web page whose name was made
// to point at loopback (DNS rebinding) reaches nothing.
func onlyHost(host string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold(r.Host, host) {
			http.Error(w, "this issuer is "+host, http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// answerPoll answers the device polls that earn an error, with the codes of
// RFC 8628 §3.5, and lets all other token requests through.
func (i *Issuer) answerPoll(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("grant_type") == string(oidc.GrantTypeDeviceCode) {
			code := i.storage.devices.poll(r.PostFormValue("client_id"), r.PostFormValue("device_code"), time.Now())
			if code != "" {
				writeJSON(w, http.StatusBadRequest, map[string]string{"error": code})
				return
			}
		}
		// RFC 6749 §5.1: tokens are not cached.
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) // the peer may be gone: nothing to do then
}

type askerKey struct{}

// withAsker notes who starts a device authorization.
func withAsker(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := asker{address: peerAddress(r), program: plainText(r.UserAgent(), 80)}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), askerKey{}, a)))
	})
}

func askerFrom(ctx context.Context) asker {
	a, _ := ctx.Value(askerKey{}).(asker)
	return a
}

// peerAddress is the address of the connection. Headers that claim another are
// not believed.
func peerAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// plainText keeps a claimed name from drawing on the page: printable, short.
func plainText(s string, limit int) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= limit {
			break
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}
