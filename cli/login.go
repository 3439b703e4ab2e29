package cli

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"hoop/broker/api"
	"hoop/cli/login"
)

type loginOptions struct {
	broker     string
	caFile     string
	issuer     string
	device     bool
	browser    bool
	noBrowser  bool
	tokenStdin bool
}

func (a *App) loginCmd() *cobra.Command {
	o := loginOptions{}
	cmd := &cobra.Command{
		Use:   "login [BROKER]",
		Short: "Sign in to a broker",
		Long: "Signs in at the broker's OpenID provider and exchanges the result for a login\n" +
			"that is bound to a key of this machine. Opens a browser where there is one and\n" +
			"otherwise shows a code to enter on another device.",
		Example: "  hoop login https://hoop.example.com\n  hoop login --device\n  hoop login --token-stdin < id-token",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.broker = args[0]
			}
			return a.login(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.caFile, "ca-file", "", "trust this certificate authority (PEM) for the broker")
	f.StringVar(&o.issuer, "issuer", "", "the issuer to sign in at, where the broker accepts several")
	f.BoolVar(&o.device, "device", false, "show a code to enter on another device (RFC 8628)")
	f.BoolVar(&o.browser, "browser", false, "use a browser on this machine")
	f.BoolVar(&o.noBrowser, "no-browser", false, "start no browser: print what to open")
	f.BoolVar(&o.tokenStdin, "token-stdin", false, "exchange a token read from standard input")
	return cmd
}

func (a *App) login(ctx context.Context, o *loginOptions) error {
	if o.device && o.browser || o.tokenStdin && (o.device || o.browser || a.tokenFile != "") {
		return usagef("--device, --browser, --token-stdin and --token-file exclude each other")
	}
	p, err := a.loginProfile(o)
	if err != nil {
		return err
	}
	d, err := a.dialer(p)
	if err != nil {
		return err
	}
	c := &api.Client{Dialer: d}
	token, refresh, err := a.idToken(ctx, c, p, o)
	if err != nil {
		return signInError(err)
	}
	if err := a.keepLogin(ctx, c, p, token, refresh); err != nil {
		return err
	}
	a.refreshSSHFiles(ctx, p)
	return a.loggedIn(ctx, p)
}

// keepLogin exchanges an ID token and stores what comes of it. The key stays
// the same where there is one: sessions that are open go on under the new login.
func (a *App) keepLogin(ctx context.Context, c *api.Client, p *profile, token, refresh string) error {
	store, err := a.secretStore()
	if err != nil {
		return err
	}
	before, err := store.Load(p.Broker)
	if err != nil && !errors.Is(err, login.ErrNoSecrets) {
		return err
	}
	secrets, err := exchange(ctx, c, login.Secrets{RefreshToken: refresh, Key: before.Key}, token)
	if err != nil {
		return err
	}
	return errors.Join(store.Save(ctx, p.Broker, secrets), a.saveProfile(p))
}

// loginProfile is the broker that was named, or the one that is known already.
func (a *App) loginProfile(o *loginOptions) (*profile, error) {
	p, err := a.loadProfile()
	var own *exitError
	if err != nil && !errors.As(err, &own) {
		return nil, err
	}
	if err != nil && o.broker == "" {
		return nil, usagef("name the broker: hoop login https://BROKER")
	}
	if named := brokerURL(o.broker); err != nil || named != "" && named != p.Broker {
		p = &profile{Broker: named}
		if err := p.trustFile(a.Getenv("HOOP_CA_FILE")); err != nil {
			return nil, err
		}
	}
	return p, p.trustFile(o.caFile)
}

// idToken gets a token of the issuer: given, or by signing in.
func (a *App) idToken(ctx context.Context, c *api.Client, p *profile, o *loginOptions) (token, refresh string, err error) {
	if o.tokenStdin {
		data, err := a.readInput(ctx)
		return strings.TrimSpace(string(data)), "", err
	}
	if a.tokenFile != "" {
		token, err := readToken(a.tokenFile)
		return token, "", err
	}
	info, err := c.Info(ctx)
	if err != nil {
		return "", "", err
	}
	if p.Issuer, err = chooseIssuer(info, o.issuer); err != nil {
		return "", "", err
	}
	provider, err := login.Discover(ctx, login.Config{Issuer: p.Issuer.URL, ClientID: p.Issuer.ClientID, Scopes: p.Issuer.Scopes})
	if err != nil {
		return "", "", err
	}
	tokens, err := provider.Login(ctx, a.loginMethod(o))
	return tokens.IDToken, tokens.RefreshToken, err
}

func (a *App) loginMethod(o *loginOptions) login.Options {
	out := login.Options{NoBrowser: o.noBrowser, Out: a.Err, JSON: a.json(), Getenv: a.Getenv}
	switch {
	case o.device:
		out.Method = login.Device
	case o.browser:
		out.Method = login.Loopback
	}
	if f, ok := a.Err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		out.Width, _, _ = term.GetSize(int(f.Fd()))
		out.Color = !a.noColor
	}
	return out
}

func chooseIssuer(info *api.Info, want string) (api.LoginIssuer, error) {
	var names []string
	for _, i := range info.Issuers {
		if i.URL == want || want == "" && len(info.Issuers) == 1 {
			return i, nil
		}
		names = append(names, i.URL)
	}
	switch {
	case len(names) == 0:
		return api.LoginIssuer{}, &exitError{code: exitFailure, word: "no_issuer",
			err: errors.New("people cannot sign in to this broker: it names no issuer"), hint: "see identity.issuers in its configuration"}
	case want != "":
		return api.LoginIssuer{}, usagef("the broker does not accept the issuer %s; it accepts %s", want, strings.Join(names, ", "))
	default:
		return api.LoginIssuer{}, usagef("the broker accepts several issuers, choose one with --issuer: %s", strings.Join(names, ", "))
	}
}

// loggedIn tells who one is now.
func (a *App) loggedIn(ctx context.Context, p *profile) error {
	c, _, err := a.clientOf(ctx, p, "")
	if err != nil {
		return err
	}
	me, err := c.Whoami(ctx)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(me)
	}
	a.notef("signed in as %s (%s) until %s", printable(me.Principal.Name), printable(strings.Join(me.Principal.Groups, ", ")), when(me.Expires))
	return nil
}
