package cli

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"

	"github.com/spf13/cobra"

	"hoop/cli/sshconfig"
)

func (a *App) sshConfigCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Let plain ssh, scp, sftp, rsync, git and others reach NAME.hoop", Args: cobra.NoArgs,
		Long: "Once installed, ssh NAME.hoop reaches the connection NAME, and so does everything\n" +
			"that starts ssh. One line at the top of your ssh_config includes a file of\n" +
			"hoop's, which counts for hosts that end in .hoop alone.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var file string
	cmd.PersistentFlags().StringVar(&file, "file", "", "your ssh_config (default: ~/.ssh/config)")
	cmd.AddCommand(
		&cobra.Command{Use: "install", Short: "Write hoop's ssh_config and include it in yours", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.installSSH(cmd.Context(), file) }},
		&cobra.Command{Use: "print", Short: "Print what install would include, and change nothing", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return a.printSSH() }},
		&cobra.Command{Use: "remove", Short: "Take hoop's line out of your ssh_config again", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return a.removeSSH(file) }},
	)
	return cmd
}

func (a *App) installSSH(ctx context.Context, file string) error {
	path, err := userSSHConfig(file)
	if err != nil {
		return err
	}
	p, err := a.loadProfile()
	if err != nil {
		return err
	}
	f, err := a.newSSHFiles(p)
	if err != nil {
		return err
	}
	if err := a.writeSSHFiles(ctx, nil, p, f); err != nil {
		return err
	}
	changed, err := sshconfig.Include(path, f.Dir)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(map[string]any{"v": 1, "file": path, "includes": sshconfig.Path(f.Dir), "changed": changed})
	}
	if changed {
		a.notef("%s now begins with: Include %s", path, sshconfig.Path(f.Dir))
	} else {
		a.notef("%s includes %s already", path, sshconfig.Path(f.Dir))
	}
	a.notef("try: ssh NAME%s (hoop list shows the names)", sshconfig.Suffix)
	return nil
}

func (a *App) printSSH() error {
	p, err := a.loadProfile()
	if err != nil {
		return err
	}
	f, err := a.newSSHFiles(p)
	if err != nil {
		return err
	}
	text, err := f.Config()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.Out, text)
	return err
}

func (a *App) removeSSH(file string) error {
	path, err := userSSHConfig(file)
	if err != nil {
		return err
	}
	dir, err := a.configDir()
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	changed, err := sshconfig.Exclude(path, dir)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(map[string]any{"v": 1, "file": path, "changed": changed})
	}
	if changed {
		a.notef("%s is as it was before", path)
	} else {
		a.notef("%s does not include %s", path, sshconfig.Path(dir))
	}
	return nil
}

// userSSHConfig is the file that ssh reads. It looks for that in the home
// folder of the account, whatever HOME says; where the two differ, the user has
// to say what is meant.
func userSSHConfig(file string) (string, error) {
	if file != "" {
		return filepath.Abs(file)
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("find the home folder: %w", err)
	}
	if home := os.Getenv("HOME"); home != "" && filepath.Clean(home) != filepath.Clean(u.HomeDir) {
		return "", usagef("ssh reads %s, and HOME is %s; name the file with --file", filepath.Join(u.HomeDir, ".ssh", "config"), home)
	}
	return filepath.Join(u.HomeDir, ".ssh", "config"), nil
}
