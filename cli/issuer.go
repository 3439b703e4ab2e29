package cli

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hoop/broker/config"
	"hoop/broker/issuer"
)

func (a *App) issuerCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "issuer", Short: "Manage the people of the embedded issuer", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	user := &cobra.Command{Use: "user", Short: "Add, list and remove people", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var path string
	user.PersistentFlags().StringVar(&path, "config", "hoop.yaml", "the broker's configuration")
	user.AddCommand(a.userAddCmd(&path), a.userListCmd(&path), a.userRemoveCmd(&path))
	cmd.AddCommand(user)
	return cmd
}

// usersFile finds the users file of a configuration.
func usersFile(path string) (string, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return "", err
	}
	if cfg.EmbeddedIssuer == nil {
		return "", usagef("%s has no embedded_issuer", path)
	}
	return cfg.Abs(cfg.EmbeddedIssuer.UsersFile), nil
}

func (a *App) userAddCmd(path *string) *cobra.Command {
	u := issuer.User{}
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a person, or replace one; the password is read from standard input or asked for",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := usersFile(*path)
			if err != nil {
				return err
			}
			secret, err := a.readSecret(cmd.Context(), "Password for "+args[0]+": ")
			if err != nil {
				return err
			}
			if u.Password, err = issuer.HashPassword(secret.Reveal()); err != nil {
				return err
			}
			u.Name = args[0]
			if err := issuer.SetUser(file, u); err != nil {
				return err
			}
			a.notef("%s can sign in; groups: %s", u.Name, strings.Join(u.Groups, ", "))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&u.Email, "email", "", "e-mail address")
	f.StringVar(&u.FullName, "full-name", "", "name for people")
	f.StringSliceVar(&u.Groups, "group", nil, "a group; may be given several times")
	f.BoolVar(&u.Disabled, "disabled", false, "the person cannot sign in")
	return cmd
}

func (a *App) userListCmd(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List people and their groups", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			file, err := usersFile(*path)
			if err != nil {
				return err
			}
			users, err := issuer.ReadUsers(file)
			if err != nil {
				return err
			}
			type row struct {
				Name     string   `json:"name"`
				Email    string   `json:"email,omitempty"`
				Groups   []string `json:"groups"`
				Disabled bool     `json:"disabled"`
			}
			out := []row{}
			rows := [][]string{{"NAME", "EMAIL", "GROUPS", "STATE"}}
			for _, u := range users {
				state := "active"
				if u.Disabled {
					state = "disabled"
				}
				out = append(out, row{u.Name, u.Email, u.Groups, u.Disabled})
				rows = append(rows, []string{u.Name, u.Email, strings.Join(u.Groups, ","), state})
			}
			if a.json() {
				return a.printJSON(out)
			}
			return a.table(rows)
		},
	}
}

func (a *App) userRemoveCmd(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a person", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := usersFile(*path)
			if err != nil {
				return err
			}
			err = issuer.RemoveUser(file, args[0])
			if errors.Is(err, issuer.ErrNoUser) {
				return &exitError{code: exitNotFound, word: "not_found", err: err, hint: "see: hoop issuer user list --config " + filepath.Clean(*path)}
			}
			return err
		},
	}
}
