package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hoop/broker/api"
)

func (a *App) completionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "Print a completion script for a shell",
		Args: cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs), ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Example: "  source <(hoop completion bash)\n  hoop completion zsh > \"${fpath[1]}/_hoop\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root := cmd.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.Out, true)
			case "zsh":
				return root.GenZshCompletion(a.Out)
			case "fish":
				return root.GenFishCompletion(a.Out, true)
			default:
				return root.GenPowerShellCompletionWithDesc(a.Out)
			}
		},
	}
}

// How long remembered names are good enough, and how long completion may wait
// for the broker where they are not.
const (
	namesFresh     = time.Minute
	completionWait = 200 * time.Millisecond
)

// rememberedNames is the file names.json of the client's folder.
type rememberedNames struct {
	Broker string            `json:"broker"`
	Time   time.Time         `json:"time"`
	Names  map[string]string `json:"names"` // name → protocol
}

// completeConnections completes the first argument with connection names.
func (a *App) completeConnections(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	p, err := a.loadProfile()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	known := a.names(p.Broker)
	if time.Since(known.Time) > namesFresh {
		known = a.askNames(cmd.Context(), p.Broker, known)
	}
	var out []string
	for name, protocol := range known.Names {
		out = append(out, name+"\t"+protocol)
	}
	slices.Sort(out)
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeSSH completes the destination of an ssh command line, with the user
// name that stands before it.
func (a *App) completeSSH(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	line, err := parseSSH(cmd, args)
	if err != nil || line.destination != "" {
		return nil, cobra.ShellCompDirectiveDefault
	}
	user := begun[:strings.LastIndex(begun, "@")+1]
	found, directive := a.completeConnections(cmd, nil, "")
	var out []string
	for _, x := range found {
		if strings.HasSuffix(x, "\tssh") {
			out = append(out, user+x)
		}
	}
	return out, directive
}

// askNames asks the broker, and makes do with what is remembered where the
// answer takes long: a keyring, too, may take its time.
func (a *App) askNames(ctx context.Context, broker string, known rememberedNames) rememberedNames {
	ctx, cancel := context.WithTimeout(ctx, completionWait)
	defer cancel()
	found, err := await(ctx, func() ([]api.Connection, error) {
		c, err := a.client(ctx)
		if err != nil {
			return nil, err
		}
		return c.Connections(ctx)
	})
	if err != nil {
		return known
	}
	return a.rememberNames(broker, found)
}

func (a *App) namesFile() (string, error) {
	dir, err := a.configDir()
	return filepath.Join(dir, "names.json"), err
}

// names reads what is remembered of a broker; its zero value is nothing.
func (a *App) names(broker string) rememberedNames {
	var r rememberedNames
	path, err := a.namesFile()
	if err != nil {
		return r
	}
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &r) != nil || r.Broker != broker {
		return rememberedNames{}
	}
	return r
}

// rememberNames keeps names for completion. Losing them costs a moment, so
// failing to write is not an error.
func (a *App) rememberNames(broker string, found []api.Connection) rememberedNames {
	r := rememberedNames{Broker: broker, Time: time.Now(), Names: map[string]string{}}
	for _, c := range found {
		r.Names[c.Name] = c.Protocol
	}
	path, err := a.namesFile()
	if err != nil {
		return r
	}
	if data, err := json.Marshal(r); err == nil && os.MkdirAll(filepath.Dir(path), 0o700) == nil {
		_ = os.WriteFile(path, data, 0o600)
	}
	return r
}

// words completes a flag that takes one of a few words.
func words(w ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(w, cobra.ShellCompDirectiveNoFileComp)
}
