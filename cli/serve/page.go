package serve

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"time"

	"hoop/broker/issuer"
	"hoop/broker/page"
)

// baseURL is how browsers reach the broker.
func (i *Instance) baseURL() string {
	if u := i.config.Load().PublicURL; u != "" {
		return strings.TrimSuffix(u, "/")
	}
	return "https://" + i.listener.Addr().String()
}

// link leads to the page of an approval, where there is one.
func (i *Instance) link() func(id string) string {
	if !i.config.Load().ApprovalPage.Enabled {
		return nil
	}
	return func(id string) string { return i.baseURL() + page.Path(id) }
}

// issuerClients are the clients of the embedded issuer: hoop's own, which the
// page shares.
func (i *Instance) issuerClients() []issuer.Client {
	c := issuer.DefaultClient()
	if i.config.Load().ApprovalPage.Enabled {
		c.RedirectURIs = append(c.RedirectURIs, i.baseURL()+page.ReturnPath)
	}
	return []issuer.Client{c}
}

// routes is the API, and beside it the page.
func (i *Instance) routes() http.Handler {
	apiRoutes := i.handler.Routes()
	if !i.config.Load().ApprovalPage.Enabled {
		return apiRoutes
	}
	pages := page.New(page.Config{
		Desk: i.desk, Logins: i.logins, Verifier: i.verifier.Load, Recorder: i.recorder, Base: i.baseURL(), Log: i.log,
		TTL: func() time.Duration { return i.config.Load().Ident.LoginTTL.Or(time.Hour) },
		Issuers: func() []string {
			var urls []string
			for _, l := range i.info().Issuers {
				urls = append(urls, l.URL)
			}
			return urls
		},
		Secret: i.clientSecret,
	})
	mux := http.NewServeMux()
	mux.Handle(page.Root, pages.Routes())
	mux.Handle("/", apiRoutes)
	return mux
}

// clientSecret reads the secret of the client at the issuer. A file that cannot
// be read gives none, and the issuer says so.
func (i *Instance) clientSecret() string {
	cfg := i.config.Load()
	if cfg.ApprovalPage.ClientSecretFile == "" {
		return ""
	}
	secret, err := os.ReadFile(cfg.Abs(cfg.ApprovalPage.ClientSecretFile))
	if err != nil {
		i.log.Error("the client's secret cannot be read", "error", err)
	}
	return string(bytes.TrimSpace(secret))
}
