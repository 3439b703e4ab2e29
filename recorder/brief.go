package recorder

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// brief is as much of an event as counting needs.
type brief struct {
	Type    Type      `json:"type"`
	Time    time.Time `json:"time"`
	Session string    `json:"session"`
	Outcome string    `json:"outcome"`
	Rows    int64     `json:"rows"`
	Bytes   int64     `json:"bytes"`
}

// readBrief reads the outer fields of an event as appendEvent writes them,
// which is several times as fast as encoding/json. What looks otherwise goes
// to encoding/json. known gives the Go string of a session's id seen before.
func readBrief(payload []byte, known func([]byte) string) (brief, error) {
	var b brief
	err := eachField(payload, func(key, value []byte) error { return b.set(key, value, known) })
	if err != nil {
		b = brief{}
		err = json.Unmarshal(payload, &b)
	}
	return b, err
}

func (b *brief) set(key, value []byte, known func([]byte) string) (err error) {
	switch string(key) {
	case "rows":
		b.Rows, err = strconv.ParseInt(string(value), 10, 64)
		return err
	case "bytes":
		b.Bytes, err = strconv.ParseInt(string(value), 10, 64)
		return err
	case "time", "type", "session", "outcome":
	default:
		return nil
	}
	if bytes.IndexByte(value, '\\') >= 0 {
		return errShape
	}
	switch string(key) {
	case "time":
		b.Time, err = time.Parse(time.RFC3339Nano, string(value))
	case "type":
		b.Type = knownType(value)
	case "session":
		b.Session = known(value)
	case "outcome":
		b.Outcome = knownOutcome(value)
	}
	return err
}

// knownType and knownOutcome spare an allocation for every event.
func knownType(value []byte) Type {
	switch string(value) {
	case string(ActionDecided):
		return ActionDecided
	case string(ActionFinished):
		return ActionFinished
	}
	return Type(value)
}

func knownOutcome(value []byte) string {
	switch string(value) {
	case "ok":
		return "ok"
	case "denied":
		return "denied"
	case "error":
		return "error"
	}
	return string(value)
}

var errShape = errors.New("not as the encoder writes it")

// eachField calls fn for the fields of an object without spaces. A string
// comes without its quotes, its escapes as they are.
func eachField(obj []byte, fn func(key, value []byte) error) error {
	if len(obj) < 2 || obj[0] != '{' {
		return errShape
	}
	for at := 1; ; at++ { // at a key's quote
		if at >= len(obj) || obj[at] != '"' {
			return errShape
		}
		end := skipString(obj, at)
		if end < 0 || end >= len(obj) || obj[end] != ':' {
			return errShape
		}
		key, start := obj[at+1:end-1], end+1
		if at = skipValue(obj, start); at < 0 || at >= len(obj) {
			return errShape
		}
		value := obj[start:at]
		if len(value) > 1 && value[0] == '"' {
			value = value[1 : len(value)-1]
		}
		if err := fn(key, value); err != nil {
			return err
		}
		if obj[at] == '}' {
			return nil
		}
	}
}

// skipString gives the place after the string that begins at at; -1: none.
func skipString(b []byte, at int) int {
	for at++; at < len(b); at++ {
		i := bytes.IndexByte(b[at:], '"')
		if i < 0 {
			return -1
		}
		at += i
		slashes := 0
		for b[at-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return at + 1
		}
	}
	return -1
}

// skipValue gives the place after the value that begins at at; -1: none.
func skipValue(b []byte, at int) int {
	for depth := 0; at < len(b); at++ {
		switch b[at] {
		case '"':
			if at = skipString(b, at); at < 0 {
				return -1
			}
			at--
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at
			}
			depth--
		case ',':
			if depth == 0 {
				return at
			}
		}
	}
	return -1
}
