package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"hoop/broker/api"
	"hoop/cli/login"
)

func (a *App) logoutCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Sign out: end the login and every session under it, and forget its secrets",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.logout(cmd.Context()) },
	}
}

func (a *App) logout(ctx context.Context) error {
	p, err := a.loadProfile()
	if err != nil {
		return err
	}
	store, err := a.secretStore()
	if err != nil {
		return err
	}
	secrets, err := store.Load(p.Broker)
	if errors.Is(err, login.ErrNoSecrets) {
		return notSignedIn("you are not signed in", "")
	}
	remote := a.endLogin(ctx)
	if err == nil && secrets.RefreshToken != "" {
		cfg := login.Config{Issuer: p.Issuer.URL, ClientID: p.Issuer.ClientID, Scopes: p.Issuer.Scopes}
		if provider, err := login.Discover(ctx, cfg); err == nil {
			remote = errors.Join(remote, provider.Revoke(ctx, secrets.RefreshToken))
		}
	}
	if err := store.Delete(ctx, p.Broker); err != nil {
		return err
	}
	if remote != nil {
		a.notef("signed out here; the broker or issuer could not be told: %v", remote)
		return nil
	}
	a.notef("signed out of %s", p.Broker)
	return nil
}

// endLogin tells the broker. A login that it does not know has ended already.
func (a *App) endLogin(ctx context.Context) error {
	c, err := a.client(ctx)
	if err == nil {
		err = c.Logout(ctx)
	}
	var remote *api.Error
	var own *exitError
	if errors.As(err, &remote) && remote.Code == api.CodeUnauthenticated || errors.As(err, &own) && own.code == exitNoLogin {
		return nil
	}
	return err
}
