package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hoop/broker/api"
	"hoop/recorder/recording"
)

// exportFormats are those of hoop sessions export, by name.
func exportFormats() map[string]func(io.Writer, *recording.Reader) error {
	return map[string]func(io.Writer, *recording.Reader) error{
		"cast2": recording.ExportV2, "txt": recording.ExportText, "json": recording.ExportJSON,
	}
}

type exportOptions struct {
	session string
	action  uint64
	format  string
	file    string
}

func (a *App) sessionsExportCmd() *cobra.Command {
	o := exportOptions{}
	cmd := &cobra.Command{
		Use: "export SESSION", Short: "Write what the terminal of a session showed", Args: cobra.ExactArgs(1),
		Long: "Writes a recording as cast (asciicast v3, for asciinema 3), cast2 (asciicast v2,\n" +
			"for older players), txt (what stood on the screen, as plain text) or json.\n" +
			"A session that runs is written as far as it came.",
		Example: "  hoop sessions export k3v7q2 > session.cast\n" +
			"  hoop sessions export k3v7q2 --format txt | less\n" +
			"  hoop sessions export k3v7q2 --action 4 --format cast2 --file build.cast",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.session = args[0]
			if _, ok := exportFormats()[o.format]; !ok && o.format != "cast" {
				return usagef("--format %s: that is none of cast, cast2, txt, json", o.format)
			}
			return a.exportSession(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&o.action, "action", 0, "the number of the action, where several are recorded")
	f.StringVar(&o.format, "format", "cast", "cast, cast2, txt or json")
	f.StringVar(&o.file, "file", "", "write here instead of to standard output; it must not be there yet")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"cast", "cast2", "txt", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *App) exportSession(ctx context.Context, o *exportOptions) error {
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	if o.action == 0 {
		if o.action, err = onlyRecording(ctx, c, o.session); err != nil {
			return err
		}
	}
	in, err := c.Recording(ctx, o.session, o.action)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if o.file == "" {
		return export(a.Out, in, o.format)
	}
	out, err := os.OpenFile(o.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	return errors.Join(export(out, in, o.format), out.Close())
}

// onlyRecording gives the number of the recording of a session that has one.
func onlyRecording(ctx context.Context, c *api.Client, session string) (uint64, error) {
	found, err := c.Recordings(ctx, session)
	if err != nil {
		return 0, err
	}
	switch len(found) {
	case 0:
		return 0, &exitError{code: exitNotFound, word: api.CodeNotFound, err: fmt.Errorf("session %s has no recording", session),
			hint: "hoop sessions show " + session + " lists what it did"}
	case 1:
		return found[0].Action, nil
	}
	return 0, &exitError{code: exitUsage, word: api.CodeUsage, err: fmt.Errorf("session %s has %d recordings; choose one with --action: %s",
		session, len(found), recordingChoices(found))}
}

// recordingChoices reads "1 (ssh.shell), 4 (make test)".
func recordingChoices(found []recording.Description) string {
	const shown = 10
	var out []string
	for i, d := range found {
		if i == shown {
			out = append(out, "…")
			break
		}
		what := d.Command
		if what == "" {
			what = d.Verb
		}
		out = append(out, strconv.FormatUint(d.Action, 10)+" ("+oneLine(printable(what), 40)+")")
	}
	return strings.Join(out, ", ")
}

func export(w io.Writer, in io.Reader, format string) error {
	if format == "cast" {
		if _, err := io.Copy(w, in); err != nil {
			return fmt.Errorf("export the recording: %w", err)
		}
		return nil
	}
	r, err := recording.NewReader(in)
	if err != nil {
		return err
	}
	return exportFormats()[format](w, r)
}
