package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"hoop/broker/approval"
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
	var path, dir, recordings string
	cmd := &cobra.Command{
		Use: "verify", Short: "Check the whole audit log against its signed checkpoints", Args: cobra.NoArgs,
		Long: "Reads every segment and checks frames, order, the Merkle tree and each signed\n" +
			"checkpoint; and of approvals each answer's signature, that it is for what was\n" +
			"asked and by nobody who asked, and that nothing ran before it was approved; and\n" +
			"that the files of recordings are those whose hashes the log holds.\n" +
			"It works while the broker runs and needs nothing but the files.",
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				cfg, err := config.Load(path)
				if err != nil {
					return err
				}
				dir = serve.AuditDir(cfg)
				if recordings == "" {
					recordings = serve.RecordingsDir(cfg)
				}
			}
			report, err := recorder.Verify(dir, recorder.VerifyOptions{})
			if err != nil {
				return err
			}
			v := &verified{Report: report, Approvals: auditApprovals(dir)}
			if recordings != "" {
				v.Recordings = auditRecordings(dir, recordings)
			}
			return a.printReport(v)
		},
	}
	cmd.Flags().StringVar(&path, "config", "hoop.yaml", "the broker's configuration")
	cmd.Flags().StringVar(&dir, "dir", "", "the folder of the log itself")
	cmd.Flags().StringVar(&recordings, "recordings", "", "the folder of recordings, where --dir is given")
	return cmd
}

// verified is all that was checked.
type verified struct {
	*recorder.Report
	Approvals  *approval.Audited  `json:"approvals"`
	Recordings *auditedRecordings `json:"recordings,omitempty"` // nil where nobody said where they are
}

// more lists the problems that are not of the log itself.
func (v *verified) more() []string {
	out := v.Approvals.Problems
	if v.Recordings != nil {
		out = append(out[:len(out):len(out)], v.Recordings.Problems...)
	}
	return out
}

func (v *verified) problems() int { return len(v.Problems) + len(v.more()) }

// auditApprovals goes as far as the log can be read: damage is in the report.
func auditApprovals(dir string) *approval.Audited {
	var a approval.Auditor
	err := recorder.Scan(dir, 0, a.Event)
	found := a.Found()
	if err != nil {
		found.Problems = append(found.Problems, "approvals are not checked beyond here: "+err.Error())
	}
	return found
}

func (a *App) printReport(r *verified) error {
	var err error
	if a.json() {
		err = a.printJSON(r)
	} else {
		_, err = fmt.Fprintf(a.Out, "log %s: %d events in %d segments, %d of them under %d signed checkpoints, root %s\n",
			r.Origin, r.Events, r.Segments, r.Signed, r.Checkpoints, r.Root)
		_, _ = fmt.Fprintf(a.Out, "approvals: %d approved, %d signatures of answers fit (%d of them given in a browser), %d actions went on with them\n",
			r.Approvals.Approvals, r.Approvals.Answers, r.Approvals.OnPage, r.Approvals.Actions)
		if rec := r.Recordings; rec != nil {
			_, _ = fmt.Fprintf(a.Out, "recordings: %d, %d files are what was written, %d are gone\n", rec.Recordings, rec.Checked, rec.Gone)
		}
		for _, n := range r.Notes {
			_, _ = fmt.Fprintln(a.Out, "note:", n)
		}
		for _, p := range r.Problems {
			_, _ = fmt.Fprintln(a.Out, "PROBLEM:", p)
		}
		for _, p := range r.more() {
			_, _ = fmt.Fprintln(a.Out, "PROBLEM:", printable(p))
		}
	}
	if err == nil && r.problems() > 0 {
		err = &exitError{code: exitFailure, word: "damaged", err: fmt.Errorf("the log is not what was written: %d problems", r.problems())}
	}
	return err
}
