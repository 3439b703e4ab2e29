package cli

import (
	"os"

	"github.com/spf13/cobra"

	"hoop/policy/sql"
)

// sqlWorkerCmd is what the broker starts itself as, to parse SQL in a process
// that holds no secret.
func (a *App) sqlWorkerCmd() *cobra.Command {
	return &cobra.Command{
		Use: "sqlworker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return sql.WorkerMain(os.Stdin, os.Stdout) },
	}
}
