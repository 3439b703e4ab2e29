package page

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"hoop/broker/approval"
	"hoop/broker/identity"
	"hoop/recorder"
)

//go:embed pages/*.html pages/style.css
var files embed.FS

// The paths.
const (
	Root      = "/page/"
	listPath  = Root + "approvals"
	startPath = Root + "sign-in"
	leavePath = Root + "sign-out"
	// ReturnPath is where the issuer sends browsers back to; its client must
	// allow that under the broker's public URL.
	ReturnPath = Root + "signed-in"
)

// Path leads to one approval.
func Path(id string) string { return listPath + "/" + id }

// Recorder keeps events durably before it returns.
type Recorder interface {
	Append(ev *recorder.Event, d recorder.Durability) error
}

// Config is what the pages stand on. Every field but Secret is needed.
type Config struct {
	Desk     *approval.Desk
	Logins   *identity.Logins
	Verifier func() *identity.Verifier
	Issuers  func() []string // that people log in with
	Secret   func() string   // of the client at the issuer, "" where it has none
	TTL      func() time.Duration
	Recorder Recorder
	Base     string // https://host, as browsers reach it
	Log      *slog.Logger
}

// Pages serves what is below Root.
type Pages struct {
	Config
	templates *template.Template
	style     template.CSS
	policy    string // Content-Security-Policy
	sessions  *sessions
}

// New makes the pages.
func New(c Config) *Pages {
	style, err := files.ReadFile("pages/style.css")
	if err != nil {
		panic(err) // embedded at build time
	}
	sum := sha256.Sum256(style)
	return &Pages{
		Config: c, style: template.CSS(style), sessions: &sessions{byCookie: map[string]*session{}},
		templates: template.Must(template.New("").Funcs(template.FuncMap{"visible": visible}).ParseFS(files, "pages/*.html")),
		policy: fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			base64.StdEncoding.EncodeToString(sum[:])),
	}
}

// Routes is the table of everything that is served.
func (p *Pages) Routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+listPath, p.as(p.list))
	mux.HandleFunc("GET "+listPath+"/{id}", p.as(p.show))
	mux.HandleFunc("POST "+listPath+"/{id}", p.asOwnForm(p.answer))
	mux.HandleFunc("GET "+startPath, p.start)
	mux.HandleFunc("GET "+ReturnPath, p.finish)
	mux.HandleFunc("POST "+leavePath, p.asOwnForm(p.leave))
	mux.HandleFunc(Root, func(w http.ResponseWriter, _ *http.Request) {
		p.tell(w, http.StatusNotFound, nil, "There is no such page.", "The link may be cut short.")
	})
	return http.NewCrossOriginProtection().Handler(http.MaxBytesHandler(mux, maxForm))
}

// maxForm bounds a form, in bytes.
const maxForm = 64 << 10

// view is everything that a page may show.
type view struct {
	Title   string
	Style   template.CSS
	Name    string // who is signed in, "" for nobody
	CSRF    string
	Error   string
	Hint    string
	Next    string // a path of ours to go on to
	Issuers []issuerLink

	Approvals []approval.Approval
	One       *shown
}

// write draws a page.
func (p *Pages) write(w http.ResponseWriter, status int, name string, s *session, v view) {
	if v.Style = p.style; s != nil {
		v.Name, v.CSRF = s.login.Principal.Name, s.csrf
	}
	h := w.Header()
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	// Not no-referrer: that makes browsers send "Origin: null" with our forms.
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	if err := p.templates.ExecuteTemplate(w, name, v); err != nil {
		p.Log.Warn("write a page", "page", name, "error", err)
	}
}

// tell says why something did not work.
func (p *Pages) tell(w http.ResponseWriter, status int, s *session, message, hint string) {
	p.write(w, status, "message.html", s, view{Title: "That did not work", Error: message, Hint: hint})
}
