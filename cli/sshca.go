package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"hoop/broker/config"
	"hoop/cli/serve"
	"hoop/cli/sshconfig"
)

func (a *App) brokerSSHCACmd() *cobra.Command {
	var path string
	var user, host bool
	cmd := &cobra.Command{
		Use: "ssh-ca", Short: "Print the public keys of the broker's SSH authorities", Args: cobra.NoArgs,
		Long: "The user authority signs a certificate of two minutes for each login at a target\n" +
			"whose credential is of kind ssh_ca: put its line into a file that TrustedUserCAKeys\n" +
			"in the target's sshd_config names. The host authority signs the keys by which\n" +
			"clients know the broker: hoop ssh config install fetches it. The keys are made at\n" +
			"first use and lie in the data folder; whoever has them is the broker.",
		Example: "  hoop broker ssh-ca --user | ssh root@web-1 'cat > /etc/ssh/hoop_ca.pub'",
		RunE: func(*cobra.Command, []string) error {
			if user && host {
				return usagef("--user and --host exclude each other")
			}
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			hostCA, userCA, err := serve.SSHAuthorities(cfg)
			if err != nil {
				return err
			}
			switch {
			case a.json():
				return a.printJSON(map[string]any{"v": 1, "user_ca": userCA, "host_ca": hostCA})
			case user:
				_, err = fmt.Fprintln(a.Out, userCA)
			case host:
				_, err = fmt.Fprintln(a.Out, hostCA)
			default:
				_, err = fmt.Fprintf(a.Out, "# For targets, in the file that TrustedUserCAKeys names:\n%s\n# For clients, in known_hosts:\n@cert-authority *%s %s\n",
					userCA, sshconfig.Suffix, hostCA)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&path, "config", "hoop.yaml", "the configuration")
	cmd.Flags().BoolVar(&user, "user", false, "print the line for targets alone")
	cmd.Flags().BoolVar(&host, "host", false, "print the line for clients alone")
	return cmd
}
