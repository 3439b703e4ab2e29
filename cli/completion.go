package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
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

type rememberedNames struct {
	Time  time.Time         `json:"time"`
	Names map[string]string `json:"names"` // name → protocol
}

// completeConnections completes the first argument with connection names.
func (a *App) completeConnections(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	known, fresh := a.names()
	if !fresh {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionWait)
		defer cancel()
		if c, err := a.client(ctx); err == nil {
			if found, err := c.Connections(ctx); err == nil {
				a.rememberNames(found)
				known, _ = a.names()
			}
		}
	}
	var out []string
	for name, protocol := range known {
		out = append(out, name+"\t"+protocol)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (a *App) namesFile() (string, error) {
	dir, err := a.configDir()
	return filepath.Join(dir, "names.json"), err
}

func (a *App) names() (names map[string]string, fresh bool) {
	path, err := a.namesFile()
	if err != nil {
		return nil, false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	var r rememberedNames
	if json.Unmarshal(data, &r) != nil {
		return nil, false
	}
	return r.Names, time.Since(r.Time) < namesFresh
}

// rememberNames keeps names for completion. Losing them costs a moment, so
// failing to write is not an error.
func (a *App) rememberNames(found []api.Connection) {
	path, err := a.namesFile()
	if err != nil {
		return
	}
	r := rememberedNames{Time: time.Now(), Names: map[string]string{}}
	for _, c := range found {
		r.Names[c.Name] = c.Protocol
	}
	if data, err := json.Marshal(r); err == nil {
		_ = os.WriteFile(path, data, 0o600)
	}
}
