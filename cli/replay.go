package cli

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hoop/tui"
)

// replayOptions is what hoop sessions replay was asked for.
type replayOptions struct {
	session string
	file    string
	action  uint64
	from    string
	speed   float64
	idle    time.Duration
	full    bool
	follow  bool
}

func (a *App) sessionsReplayCmd() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use: "replay {SESSION | --file FILE}", Short: "Show the recording of a session, in time", Args: cobra.MaximumNArgs(1),
		Long: "Shows what the terminal of a session showed, at the pace at which it did. A session\n" +
			"without a recording, such as one on a database, is shown as its statements.\n\n" +
			"Keys: space pauses, the arrows go 5 s back and on, 0 to 9 to a tenth of it, [ and ]\n" +
			"to the previous and next command, . to the next change, + and - change the speed,\n" +
			"/ searches what the screen showed, n and N go on with that, i cuts pauses or leaves\n" +
			"them, z shows or hides what is around the terminal, ? lists all keys, q ends it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.session = args[0]
			}
			begin, err := o.begin()
			if err != nil {
				return err
			}
			if o.file != "" {
				return a.replayFile(cmd.Context(), &o, begin)
			}
			return a.replaySession(cmd.Context(), &o, begin)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.file, "file", "", "show this asciicast (v2 or v3, also compressed with gzip) instead of a session's")
	f.Uint64Var(&o.action, "action", 0, "the action whose recording to show, where the session has several")
	f.StringVar(&o.from, "from", "0s", "begin here: 2m40s, or 2:40")
	f.Float64Var(&o.speed, "speed", 1, "so many times faster than it was, 0.1 to 100")
	f.DurationVar(&o.idle, "idle", 2*time.Second, "cut pauses to this length; 0 leaves them")
	f.BoolVar(&o.full, "tui", false, "with the list of commands beside it, as in hoop tui")
	f.BoolVar(&o.follow, "follow", false, "stay at the end of a session that is still being recorded")
	_ = cmd.MarkFlagFilename("file", "cast", "gz")
	return cmd
}

// begin checks the options.
func (o *replayOptions) begin() (*tui.Opening, error) {
	if (o.session == "") == (o.file == "") {
		return nil, usagef("name either a session or a file")
	}
	if o.file != "" && (o.action != 0 || o.follow) {
		return nil, usagef("--action and --follow are of a session; a file is one recording")
	}
	if !(o.speed >= 0.1 && o.speed <= 100) { // also what is no number
		return nil, usagef("--speed %g is not between 0.1 and 100", o.speed)
	}
	if o.idle < 0 {
		return nil, usagef("--idle must not be negative")
	}
	from, err := parseOffset(o.from)
	if err != nil {
		return nil, err
	}
	return &tui.Opening{From: from, Follow: o.follow, Zoomed: !o.full, Alone: o.file != "" || !o.full}, nil
}

// parseOffset reads 2m40s, 2:40, 1:02:40 or a number of seconds.
func parseOffset(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return d, nil
	}
	var sum time.Duration
	parts := strings.Split(s, ":")
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || len(parts) > 3 {
			return 0, usagef("--from %q is no time such as 2m40s or 2:40", s)
		}
		sum = sum*60 + time.Duration(n)*time.Second
	}
	return sum, nil
}

// needTerminal refuses to show a recording to a file or a pipe.
func (a *App) needTerminal(instead string) error {
	if isTerminal(a.In) && isTerminal(a.Out) && !a.json() {
		return nil
	}
	return usagef("a recording is shown on a terminal alone; %s", instead)
}

func (a *App) replayFile(ctx context.Context, o *replayOptions, begin *tui.Opening) error {
	if err := a.needTerminal("the file can be read by programs as it is"); err != nil {
		return err
	}
	var err error
	if begin.Player, err = openCast(ctx, o.file); err != nil {
		return err
	}
	begin.Player.Speed, begin.Player.Idle = o.speed, o.idle
	if begin.Title = begin.Player.Recording().Title; begin.Title == "" {
		begin.Title = filepath.Base(o.file)
	}
	begin.Command = "hoop sessions replay --file " + shellQuote(o.file)
	return tui.Run(ctx, nil, tui.Options{In: a.In, Out: a.Out, NoColor: a.noColor, Open: begin})
}

// replaySession shows the recording of a session, or what it did where nothing
// of it was recorded.
func (a *App) replaySession(ctx context.Context, o *replayOptions, begin *tui.Opening) error {
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	s, err := c.Session(ctx, o.session)
	if err != nil {
		return err
	}
	d := desk{c}
	if begin.Others, err = d.Recordings(ctx, s.ID); err != nil {
		return err
	}
	if len(begin.Others) == 0 && o.action == 0 {
		return a.printSession(s)
	}
	if err := a.needTerminal("hoop sessions export " + s.ID + " --format txt writes it as text"); err != nil {
		return err
	}
	if o.action == 0 {
		if o.action, err = onlyRecording(ctx, c, s.ID); err != nil {
			return err
		}
	}
	if err := load(ctx, d, s, o, begin); err != nil {
		return err
	}
	me, err := c.Whoami(ctx)
	if err != nil {
		return err
	}
	c.Dialer.Notify = nil // the screen is not for notes
	return tui.Run(ctx, d, tui.Options{In: a.In, Out: a.Out, Me: me.Principal.Name, Broker: c.Dialer.URL.Host, NoColor: a.noColor, Open: begin})
}
