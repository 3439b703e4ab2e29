package cli

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"hoop/broker/api"
	"hoop/recorder/recording"
	"hoop/recorder/replay"
	"hoop/tui"
)

func openCast(ctx context.Context, path string) (*replay.Player, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usageError{err}
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReader(f)
	var in io.Reader = r
	if magic, _ := r.Peek(2); string(magic) == "\x1f\x8b" { // RFC 1952 §2.3.1
		if in, err = gzip.NewReader(r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	rec, err := replay.Read(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return replay.NewPlayer(ctx, rec)
}

// load reads the recording that was asked for.
func load(ctx context.Context, d desk, s *api.SessionDetail, o *replayOptions, begin *tui.Opening) error {
	rec, err := d.Recording(ctx, s.ID, o.action)
	if err != nil {
		return err
	}
	if begin.Player, err = replay.NewPlayer(ctx, rec); err != nil {
		return err
	}
	begin.Player.Speed, begin.Player.Idle = o.speed, o.idle
	begin.Recording = tui.Recording{Session: s.ID, Action: o.action}
	if i := slices.IndexFunc(begin.Others, func(r tui.Recording) bool { return r.Action == o.action }); i >= 0 {
		begin.Recording = begin.Others[i]
	}
	begin.Detail, begin.Title = s, fmt.Sprintf("%s → %s", s.Chain, s.Connection)
	begin.Command = "hoop sessions replay " + s.ID
	if len(begin.Others) > 1 {
		begin.Command += fmt.Sprintf(" --action %d", o.action)
	}
	return nil
}

// Recordings lists the recordings of a session for the screen.
func (d desk) Recordings(ctx context.Context, session string) ([]tui.Recording, error) {
	found, err := d.Client.Recordings(ctx, session)
	if err != nil {
		return nil, err
	}
	out := make([]tui.Recording, len(found))
	for i, r := range found {
		out[i] = tui.Recording{Session: r.Session, Action: r.Action, Live: r.State == recording.StateLive}
	}
	return out, nil
}

// Recording reads one for the screen.
func (d desk) Recording(ctx context.Context, session string, action uint64) (*replay.Recording, error) {
	in, err := d.Client.Recording(ctx, session, action)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	return replay.Read(in)
}
