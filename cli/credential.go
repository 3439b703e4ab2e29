package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/broker/config"
	"hoop/broker/credential"
	"hoop/cli/serve"
)

func (a *App) credentialCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "credential", Short: "Keep the secrets that the broker presents to targets", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var path string
	cmd.PersistentFlags().StringVar(&path, "config", "hoop.yaml", "the broker's configuration")
	cmd.AddCommand(a.credentialSetCmd(&path), a.credentialListCmd(&path), a.credentialDeleteCmd(&path))
	return cmd
}

// openStore opens the broker's own credential store.
func (a *App) openStore(ctx context.Context, path string) (*credential.Store, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	return serve.OpenCredentials(cfg, a.askPassphrase(ctx))
}

func (a *App) credentialSetCmd(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "set NAME", Short: "Store a secret, read from standard input or asked for", Args: cobra.ExactArgs(1),
		Long: "Stores the secret of a credential whose source is \"store: NAME\", encrypted.\n" +
			"The secret comes from standard input or, on a terminal, from a prompt; there is\n" +
			"no flag for it, since other users of the machine can read command lines. A private\n" +
			"key for SSH, without passphrase, comes as the file that ssh-keygen writes.",
		Example: "  hoop credential set prod-db < password\n  hoop credential set web-key < ~/.ssh/deploy_key",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.openStore(cmd.Context(), *path)
			if err != nil {
				return err
			}
			if err := credential.CheckName(args[0]); err != nil {
				return usageError{err}
			}
			secret, err := a.readSecret(cmd.Context(), "Secret for "+args[0]+": ")
			if err != nil {
				return err
			}
			if secret.Empty() {
				return usagef("the secret is empty")
			}
			if err := checkKind(*path, args[0], secret); err != nil {
				return err
			}
			if err := s.Set(args[0], secret); err != nil {
				return err
			}
			a.notef("credential %s is stored", args[0])
			return nil
		},
	}
}

// checkKind refuses what is no key where a credential that takes this secret is
// one: at the first login it would be too late to say so.
func checkKind(path, name string, secret credential.Secret) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	for _, c := range cfg.Credentials {
		if c.Store != name || c.Kind != string(broker.SSHKey) {
			continue
		}
		if _, err := ssh.ParseRawPrivateKey([]byte(secret.Reveal())); err != nil {
			return usagef("the secret is no private key for SSH without passphrase, such as ssh-keygen writes (pass the file on standard input): %v", err)
		}
	}
	return nil
}

func (a *App) credentialListCmd(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the names of stored secrets", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openStore(cmd.Context(), *path)
			if err != nil {
				return err
			}
			names, err := s.List()
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(names)
			}
			for _, n := range names {
				if _, err := fmt.Fprintln(a.Out, n); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *App) credentialDeleteCmd(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Delete a stored secret", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.openStore(cmd.Context(), *path)
			if err != nil {
				return err
			}
			err = s.Delete(args[0])
			if errors.Is(err, credential.ErrNotFound) {
				return &exitError{code: exitNotFound, word: "not_found", err: err}
			}
			return err
		},
	}
}

// readSecret asks on a terminal and otherwise reads standard input to its end.
// One trailing newline is not part of the secret.
func (a *App) readSecret(ctx context.Context, prompt string) (credential.Secret, error) {
	if isTerminal(a.In) {
		return a.askSecret(ctx, prompt)
	}
	data, err := a.readInput(ctx)
	if err != nil {
		return credential.Secret{}, err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	return credential.NewSecret(text), nil
}
