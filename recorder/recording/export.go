package recording

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// headerV2 is the first line of asciicast v2
// (https://docs.asciinema.org/manual/asciicast/v2/).
type headerV2 struct {
	Version   int               `json:"version"`
	Width     int               `json:"width"`
	Height    int               `json:"height"`
	Timestamp int64             `json:"timestamp,omitempty"`
	Command   string            `json:"command,omitempty"`
	Title     string            `json:"title,omitempty"`
	Env       map[string]string `json:"env,omitempty"`
}

// ExportV2 writes the recording in asciicast v2, for players that know no v3.
// What v2 has no word for is left out. Players show a terminal; where there was
// none, a line feed alone ends a line, and a carriage return is put before it.
func ExportV2(w io.Writer, r *Reader) error {
	h := headerV2{Version: 2, Width: r.Header.Cols, Height: r.Header.Rows, Command: r.Header.Command, Title: r.Header.Title}
	if !r.Header.Start.IsZero() {
		h.Timestamp = r.Header.Start.Unix()
	}
	if r.Header.Term != "" {
		h.Env = map[string]string{"TERM": r.Header.Term}
	}
	first, err := json.Marshal(&h)
	if err != nil {
		return fmt.Errorf("describe the recording: %w", err)
	}
	out := bufio.NewWriter(w)
	_, _ = out.Write(append(first, '\n')) // Flush tells
	var line []byte
	err = each(r, func(ev *Event) error {
		switch ev.Code {
		case CodeOutput, CodeInput, CodeMark, CodeResize:
			if ev.Code == CodeOutput && r.Header.bare() {
				ev.Data = strings.ReplaceAll(ev.Data, "\n", "\r\n")
			}
			line = appendEvent(line[:0], ev.Time, ev.Code, []byte(ev.Data))
			_, err := out.Write(line)
			return err
		}
		return nil
	})
	return exported(out, err)
}

// bare tells that hoop recorded a program without a terminal.
func (h *Header) bare() bool { return h.Hoop != nil && !h.Hoop.PTY }

// each calls fn for every event that is left.
func each(r *Reader, fn func(*Event) error) error {
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(&ev); err != nil {
			return err
		}
	}
}

func exported(out *bufio.Writer, err error) error {
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("export the recording: %w", err)
	}
	return nil
}

// exportedEvent is one event in words.
type exportedEvent struct {
	Time    float64  `json:"time"` // seconds since the start
	Type    string   `json:"type"` // output, input, mark, resize, exit, command, result, signal or end
	Data    *string  `json:"data,omitempty"`
	Cols    int      `json:"cols,omitempty"`
	Rows    int      `json:"rows,omitempty"`
	Exit    *int     `json:"exit,omitempty"`
	Command *Command `json:"command,omitempty"`
	Signal  string   `json:"signal,omitempty"`
	End     *End     `json:"end,omitempty"`
}

// exportedHead is what stands before the events.
type exportedHead struct {
	*Meta
	Start   time.Time `json:"start"`
	Cols    int       `json:"cols"`
	Rows    int       `json:"rows"`
	Term    string    `json:"term,omitempty"`
	Command string    `json:"command,omitempty"`
	Title   string    `json:"title,omitempty"`
}

// ExportJSON writes the recording as one JSON object: whose it is, then its
// events in words. A mark that only names a command is left out.
func ExportJSON(w io.Writer, r *Reader) error {
	h := &r.Header
	head, err := json.Marshal(&exportedHead{Meta: h.Hoop, Start: h.Start, Cols: h.Cols, Rows: h.Rows, Term: h.Term, Command: h.Command, Title: h.Title})
	if err != nil {
		return fmt.Errorf("describe the recording: %w", err)
	}
	out := bufio.NewWriter(w)
	_, _ = out.Write(head[:len(head)-1]) // Flush tells
	_, _ = out.WriteString(`,"events":[`)
	x := exporter{out: out, sep: "\n"}
	err = each(r, x.event)
	if err == nil {
		err = x.flush()
	}
	_, _ = out.WriteString("\n]}\n")
	return exported(out, err)
}

// exporter holds a mark back until it is known whether it names a command.
type exporter struct {
	out  *bufio.Writer
	sep  string
	mark *exportedEvent
}

func (x *exporter) event(ev *Event) error {
	out := inWords(ev)
	if out == nil {
		return nil
	}
	if out.Command != nil && x.mark != nil && *x.mark.Data == out.Command.Text {
		x.mark = nil
	}
	if err := x.flush(); err != nil {
		return err
	}
	if ev.Code == CodeMark {
		x.mark = out
		return nil
	}
	return x.write(out)
}

func (x *exporter) flush() error {
	mark := x.mark
	if x.mark = nil; mark == nil {
		return nil
	}
	return x.write(mark)
}

func (x *exporter) write(ev *exportedEvent) error {
	line, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	_, _ = x.out.WriteString(x.sep) // Flush tells
	x.sep = ",\n"
	_, err = x.out.Write(line)
	return err
}

// inWords gives nil for what is not known.
func inWords(ev *Event) *exportedEvent {
	out := &exportedEvent{Time: ev.Time.Seconds()}
	switch ev.Code {
	case CodeOutput:
		out.Type, out.Data = "output", &ev.Data
	case CodeInput:
		out.Type, out.Data = "input", &ev.Data
	case CodeMark:
		out.Type, out.Data = "mark", &ev.Data
	case CodeResize:
		out.Type = "resize"
		out.Cols, out.Rows, _ = ev.Size()
	case CodeExit:
		status, err := strconv.Atoi(ev.Data)
		if err != nil {
			return nil
		}
		out.Type, out.Exit = "exit", &status
	case CodeNote:
		return noteInWords(ev, out)
	default:
		return nil
	}
	return out
}

func noteInWords(ev *Event, out *exportedEvent) *exportedEvent {
	n, err := ev.Note()
	switch {
	case err != nil:
		return nil
	case n.Command != nil:
		out.Type, out.Command = "command", n.Command
	case n.Result != nil:
		out.Type, out.Exit = "result", &n.Result.Exit
	case n.Signal != "":
		out.Type, out.Signal = "signal", n.Signal
	case n.End != nil:
		out.Type, out.End = "end", n.End
	default:
		return nil
	}
	return out
}
