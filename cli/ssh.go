package cli

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"hoop/broker/api"
	"hoop/cli/sshconfig"
)

func (a *App) sshCmd() *cobra.Command {
	var why api.Purpose
	cmd := &cobra.Command{
		Use:   "ssh [OPTION...] [USER@]NAME [COMMAND...]",
		Short: "Run ssh on a connection",
		Long: "Runs the ssh of this machine on a connection and returns its exit code. It takes\n" +
			"every option of ssh(1) but -F, and reads your own ssh_config after hoop's. As\n" +
			"with ssh, the words of a command reach the other side as one text, joined with\n" +
			"spaces: quote for the shell there. Options of hoop begin with two dashes and come\n" +
			"before the name.",
		Example: "  hoop ssh web-1\n  hoop ssh web-1 -- systemctl status nginx\n  hoop ssh -N -L 8080:localhost:80 web-1\n" +
			"  hoop ssh --reason 'INC-7: disk is full' -t web-1 sudo -i",
		DisableFlagParsing: true, // they are ssh's
		Args:               cobra.ArbitraryArgs,
		Annotations:        map[string]string{wrapsProgram: wrapsSSH},
		ValidArgsFunction:  a.completeSSH,
		RunE: func(cmd *cobra.Command, args []string) error {
			line, err := parseSSH(cmd, args)
			if err != nil {
				return err
			}
			if help, _ := cmd.Flags().GetBool("help"); help {
				return cmd.Help()
			}
			if err := a.prepare(cmd); err != nil {
				return err
			}
			if err := why.Check(); err != nil {
				return usagef("--reason, --ticket: %v", err)
			}
			return a.ssh(cmd.Context(), line, why)
		},
	}
	cmd.Flags().StringVar(&why.Reason, "reason", "", "what it is for: who answers an approval reads it")
	cmd.Flags().StringVar(&why.Ticket, "ticket", "", "a ticket that says more")
	cmd.AddCommand(a.sshConfigCmd())
	return cmd
}

func (a *App) ssh(ctx context.Context, line *sshLine, why api.Purpose) error {
	host, err := line.host()
	if err != nil {
		return err
	}
	files, err := a.sshFiles(ctx, nil)
	if err != nil {
		return err
	}
	env := append(os.Environ(), purposeEnv(why)...)
	if a.tokenFile != "" {
		path, err := filepath.Abs(a.tokenFile)
		if err != nil {
			return err
		}
		env = append(env, "HOOP_TOKEN_FILE="+path)
	}
	return a.runSSH(ctx, files, env, line.options, host, line.rest)
}

// runSSH runs ssh with hoop's own configuration, which reaches every connection.
func (a *App) runSSH(ctx context.Context, files *sshconfig.Files, env, options []string, host string, rest []string) error {
	argv := append([]string{"ssh", "-F", sshconfig.AlonePath(files.Dir)}, options...)
	argv = append(append(argv, host), rest...)
	return a.runChild(ctx, argv, env, forwarded()...)
}

// purposeEnv hands a purpose to the hoop ssh-proxy that ssh starts.
func purposeEnv(why api.Purpose) []string {
	var env []string
	if why.Reason != "" {
		env = append(env, "HOOP_REASON="+why.Reason)
	}
	if why.Ticket != "" {
		env = append(env, "HOOP_TICKET="+why.Ticket)
	}
	return env
}

// sshLine is a command line of ssh, taken apart.
type sshLine struct {
	options     []string // of ssh, before the destination
	destination string
	rest        []string // of ssh, after it
}

// sshTakesValue are the options of ssh(1) that a value belongs to.
const sshTakesValue = "BbcDEeFIiJLlmOoPpQRSWw"

// parseSSH sets hoop's own flags, those with two dashes, and leaves the rest
// for ssh.
func parseSSH(cmd *cobra.Command, args []string) (*sshLine, error) {
	line := &sshLine{}
	var own []string
	for len(args) > 0 && line.destination == "" {
		arg := args[0]
		args = args[1:]
		takes := false
		switch {
		case arg == "--" && len(args) > 0:
			line.destination, args = args[0], args[1:]
		case arg == "-h":
			own = append(own, "--help")
		case strings.HasPrefix(arg, "--"):
			own = append(own, arg)
			if takes = ownTakesValue(cmd, arg); takes && len(args) > 0 {
				own = append(own, args[0])
			}
		case strings.HasPrefix(arg, "-") && len(arg) > 1:
			line.options = append(line.options, arg)
			if takes = optionTakesNext(arg); takes && len(args) > 0 {
				line.options = append(line.options, args[0])
			}
		default:
			line.destination = arg
		}
		if takes {
			if len(args) == 0 {
				return nil, usagef("%s needs a value", arg)
			}
			args = args[1:]
		}
	}
	line.rest = args
	cmd.InheritedFlags() // puts the global flags beside the command's own
	if err := cmd.Flags().Parse(own); err != nil {
		return nil, usageError{err}
	}
	return line, nil
}

func ownTakesValue(cmd *cobra.Command, arg string) bool {
	if strings.Contains(arg, "=") {
		return false
	}
	f := cmd.Flag(strings.TrimPrefix(arg, "--"))
	return f != nil && f.NoOptDefVal == ""
}

// optionTakesNext reports whether the value of the last option in a word such
// as -Nf or -L is the next word.
func optionTakesNext(arg string) bool {
	for i, c := range arg[1:] {
		if strings.ContainsRune(sshTakesValue, c) {
			return i == len(arg)-2
		}
	}
	return false
}

// connectionName is what names of connections look like.
var connectionName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// host is the destination as ssh is to have it.
func (l *sshLine) host() (string, error) {
	for _, o := range l.options {
		if strings.HasPrefix(o, "-F") {
			return "", usagef("-F is hoop's own here; with your own configuration, run ssh NAME.hoop after hoop ssh config install")
		}
	}
	if l.destination == "" {
		return "", usagef("name a connection")
	}
	user, name := "", l.destination
	if at := strings.LastIndex(name, "@"); at >= 0 {
		user, name = name[:at+1], name[at+1:]
	}
	name = strings.TrimSuffix(name, sshconfig.Suffix)
	if !connectionName.MatchString(name) {
		return "", usagef("%q is no name of a connection", name)
	}
	return user + name + sshconfig.Suffix, nil
}
