package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// line takes in one line of the event stream.
func (r *Recording) line(line []byte, version int) error {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] == '#' { // asciicast v3, "Comments"
		return nil
	}
	seconds, code, data, err := parseEvent(line)
	if err != nil {
		return err
	}
	if seconds < 0 || seconds > maxLength.Seconds() {
		return fmt.Errorf("%g is no time of an event", seconds)
	}
	at := time.Duration(math.Round(seconds*1e6)) * time.Microsecond
	if version == 3 { // intervals, where v2 has times since the start
		at += r.Length
	}
	if at > maxLength {
		return fmt.Errorf("the event is %s after the start", at)
	}
	r.Length = max(r.Length, at)
	return r.add(code, data)
}

// parseEvent reads the three parts of an event.
func parseEvent(line []byte) (seconds float64, code, data string, err error) {
	if n, c, d, ok := cutEvent(line); ok {
		if seconds, err = strconv.ParseFloat(n, 64); err == nil && json.Unmarshal(d, &data) == nil {
			return seconds, c, data, nil
		}
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(line, &parts); err != nil {
		return 0, "", "", err
	}
	if len(parts) != 3 {
		return 0, "", "", fmt.Errorf("an event has 3 parts, not %d", len(parts))
	}
	if err := errors.Join(json.Unmarshal(parts[0], &seconds), json.Unmarshal(parts[1], &code)); err != nil {
		return 0, "", "", err
	}
	if json.Unmarshal(parts[2], &data) != nil {
		data = string(parts[2]) // an exit status as a number
	}
	return seconds, code, data, nil
}

// cutEvent takes an event apart that is written as nearly all are, [1.5, "o",
// "text"]: a third of the time. The data is still JSON.
func cutEvent(line []byte) (seconds, code string, data []byte, ok bool) {
	first, rest, ok := bytes.Cut(line, []byte(","))
	if !ok || len(first) < 2 || first[0] != '[' || len(bytes.Trim(first[1:], "0123456789.")) > 0 {
		return "", "", nil, false
	}
	rest = bytes.TrimLeft(rest, " ")
	if len(rest) < 5 || rest[0] != '"' || rest[2] != '"' || rest[3] != ',' || rest[len(rest)-1] != ']' || rest[1] >= 0x80 || rest[1] == '\\' {
		return "", "", nil, false
	}
	return string(first[1:]), string(rest[1:2]), bytes.Trim(rest[4:len(rest)-1], " "), true
}

// add takes in one event at the end of what was read.
func (r *Recording) add(code, data string) error {
	switch code {
	case "o":
		return r.show(data)
	case "r":
		return r.resize(data)
	case "m":
		if len(r.Marks) < maxMarks {
			r.Marks = append(r.Marks, Mark{At: r.Length, Text: short(data)})
		}
	case "x":
		r.Exit = short(data)
	case "h":
		r.note(data)
	}
	return nil // input and what players do not know are passed over
}

func (r *Recording) show(data string) error {
	if data == "" {
		return nil
	}
	from := len(r.output)
	r.output = append(r.output, data...)
	if n := len(r.events); n > 0 && r.events[n-1].at == r.Length && r.events[n-1].cols == 0 {
		r.events[n-1].to = len(r.output)
		return nil
	}
	return r.happens(event{at: r.Length, from: from, to: len(r.output)})
}

func (r *Recording) happens(e event) error {
	if len(r.events) >= maxEvents {
		return fmt.Errorf("it has more than %d events", maxEvents)
	}
	r.events = append(r.events, e)
	return nil
}

func (r *Recording) resize(data string) error {
	var cols, rows int
	if _, err := fmt.Sscanf(data, "%dx%d", &cols, &rows); err != nil || cols <= 0 || rows <= 0 {
		return fmt.Errorf("%.20q is no size of a terminal", data)
	}
	if r.resizes++; r.resizes > maxResizes {
		return nil
	}
	return r.happens(event{at: r.Length, cols: int16(min(cols, math.MaxInt16)), rows: int16(min(rows, math.MaxInt16))})
}

// note takes in what hoop adds to asciicast: which marks are commands, how
// they ended, and why the recording did.
func (r *Recording) note(data string) {
	var n struct {
		Command *struct {
			Derived bool `json:"derived"`
			Exit    *int `json:"exit"`
		} `json:"command"`
		Result *struct {
			Exit int `json:"exit"`
		} `json:"result"`
		Signal string `json:"signal"`
		End    *struct {
			Reason string `json:"reason"`
		} `json:"end"`
	}
	if json.Unmarshal([]byte(data), &n) != nil {
		return // another program's
	}
	var last *Mark
	if len(r.Marks) > 0 {
		last = &r.Marks[len(r.Marks)-1]
	}
	switch {
	case n.Command != nil && last != nil:
		last.Command, last.Derived, last.Exit = true, n.Command.Derived, n.Command.Exit
	case n.Result != nil && last != nil && last.Command:
		last.Exit = &n.Result.Exit
	case n.Signal != "":
		r.Exit = "signal " + short(n.Signal)
	case n.End != nil:
		r.End = short(n.End.Reason)
	}
}
