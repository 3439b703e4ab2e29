package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"hoop/broker/config"
	"hoop/cli/serve"
	"hoop/recorder"
)

func (a *App) auditCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Check the audit log", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.auditVerifyCmd())
	return cmd
}

func (a *App) auditVerifyCmd() *cobra.Command {
	var path, dir string
	cmd := &cobra.Command{
		Use: "verify", Short: "Check the whole audit log against its signed checkpoints", Args: cobra.NoArgs,
		Long: "Reads every segment and checks frames, order, the Merkle tree and each signed\n" +
			"checkpoint. It works while the broker runs and needs nothing but the files.",
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				cfg, err := config.Load(path)
				if err != nil {
					return err
				}
				dir = serve.AuditDir(cfg)
			}
			report, err := recorder.Verify(dir, recorder.VerifyOptions{})
			if err != nil {
				return err
			}
			return a.printReport(report)
		},
	}
	cmd.Flags().StringVar(&path, "config", "hoop.yaml", "the broker's configuration")
	cmd.Flags().StringVar(&dir, "dir", "", "the folder of the log itself")
	return cmd
}

func (a *App) printReport(r *recorder.Report) error {
	var err error
	if a.json() {
		err = a.printJSON(r)
	} else {
		_, err = fmt.Fprintf(a.Out, "log %s: %d events in %d segments, %d of them under %d signed checkpoints, root %s\n",
			r.Origin, r.Events, r.Segments, r.Signed, r.Checkpoints, r.Root)
		for _, n := range r.Notes {
			_, _ = fmt.Fprintln(a.Out, "note:", n)
		}
		for _, p := range r.Problems {
			_, _ = fmt.Fprintln(a.Out, "PROBLEM:", p)
		}
	}
	if err == nil && !r.OK() {
		err = &exitError{code: exitFailure, word: "damaged", err: fmt.Errorf("the log is not what was written: %d problems", len(r.Problems))}
	}
	return err
}
