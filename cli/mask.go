package cli

import (
	"context"
	"crypto/rand"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hoop/broker"
	"hoop/broker/config"
	"hoop/policy"
	"hoop/policy/mask"
)

// maskOptions are the settings of one run of the filter.
type maskOptions struct {
	path    string
	classes []string
	column  string
	delay   time.Duration
	explain bool
}

func (a *App) maskCmd() *cobra.Command {
	var o maskOptions
	cmd := &cobra.Command{
		Use: "mask", Short: "Mask sensitive values in a text, from standard input to standard output", Args: cobra.NoArgs,
		Long: "Finds what the value detectors find and replaces it by [redacted], or as the\n" +
			"masks of a configuration say. A value under hash or format_preserving is the\n" +
			"same wherever it stands in one text, and another in the next.\n\n" +
			"What may be the beginning of a value is held until that is clear, for --delay at\n" +
			"most; a prompt is not held. Where the sender pauses for longer inside a value,\n" +
			"what came before the pause is out, and the rest is masked once the value is\n" +
			"recognised. --delay 0 holds for as long as it takes, which is also what an output\n" +
			"that is a file gets. A value that somebody encoded to hide it is not found.\n\n" +
			"With --explain it writes no text but one JSON object for each value found: its\n" +
			"class and where it starts and ends, in bytes. Lines that are JSON objects with a\n" +
			"\"text\" are looked at one by one, and each is answered by its \"id\" and spans.",
		Example: "  kubectl logs api | hoop mask\n  hoop mask --explain --classes email,credit_card <dump.sql",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.mask(cmd.Context(), &o, cmd.Flags().Changed("delay"))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.path, "config", "", "take masks and patterns from this configuration")
	f.StringSliceVar(&o.classes, "classes", []string{"*"}, "which classes to look for; * is all")
	f.StringVar(&o.column, "column", "", "the column or field that the text comes from, which numbers without form need")
	f.DurationVar(&o.delay, "delay", mask.DefaultDelay, "how long to hold what may be part of a value; 0 is until more comes")
	f.BoolVar(&o.explain, "explain", false, "write class and place of each value instead of the text")
	_ = cmd.RegisterFlagCompletionFunc("classes", words(mask.Classes()...))
	return cmd
}

// mask runs the filter; timed is whether the delay was asked for.
func (a *App) mask(ctx context.Context, o *maskOptions, timed bool) error {
	detectors, err := o.detectors()
	if err != nil {
		return err
	}
	if o.delay < 0 || o.delay > maxDelay {
		return usagef("--delay is %s: it must be between 0 and %s", o.delay, maxDelay)
	}
	if !timed && toFile(a.Out) {
		o.delay = 0
	}
	err = mask.Filter(ctx, a.In, a.Out, mask.FilterOptions{
		Detectors: detectors, Context: mask.Context{Name: o.column}, Delay: o.delay, Explain: o.explain,
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

const maxDelay = time.Minute

// toFile reports whether what is written goes into a file, where nobody waits
// for the end of a line.
func toFile(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

func (o *maskOptions) detectors() (*mask.Detectors, error) {
	var p *policy.Policy // nil redacts every class
	if o.path != "" {
		cfg, err := config.Load(o.path)
		if err != nil {
			return nil, err
		}
		if p, err = cfg.Policy(); err != nil {
			return nil, err
		}
	}
	rules, err := broker.DetectorPatterns(p)
	if err != nil {
		return nil, err
	}
	known := append(mask.Classes(), slices.Sorted(maps.Keys(p.Patterns()))...)
	for _, c := range o.classes {
		if c != "*" && !slices.Contains(known, c) {
			return nil, usagef("--classes: there is no class %q; known are %s", c, strings.Join(known, ", "))
		}
	}
	if len(o.classes) == 0 {
		return nil, usagef("--classes names none; * is all")
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	return rules.NewDetectors(o.classes, func(class string) (*mask.Method, error) {
		return mask.NewMethod(p.Mask(class), key)
	})
}
