package login

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// event is what --output json writes while a person signs in.
type event struct {
	Version     int       `json:"v"`
	Event       string    `json:"event"`
	UserCode    string    `json:"user_code,omitempty"`
	URL         string    `json:"url,omitempty"`
	URLComplete string    `json:"url_complete,omitempty"`
	Expires     time.Time `json:"expires,omitzero"`
	Message     string    `json:"message,omitempty"`
}

// voice speaks to the person who signs in, as text or as events.
type voice struct {
	out   io.Writer
	json  bool
	width int
	color bool
}

func (o Options) voice() voice {
	return voice{out: o.Out, json: o.JSON, width: o.Width, color: o.Color}
}

// say writes the event to scripts and the text to people. A writer that fails
// is not worth ending a sign-in for.
func (v voice) say(e event, text string) {
	if !v.json {
		fmt.Fprintln(v.out, text)
		return
	}
	e.Version = 1
	line, err := json.Marshal(e)
	if err != nil {
		return
	}
	fmt.Fprintf(v.out, "%s\n", line)
}

// plain keeps only what prints: text of a foreign server goes to a terminal.
func plain(s string) string {
	const limit = 300
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= limit {
			break
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}
