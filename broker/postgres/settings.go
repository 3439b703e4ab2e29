package postgres

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"hoop/broker"
	"hoop/policy"
)

// Session settings can come with the startup packet. What they may be:
//
//   - those that decide how SQL text is read are fixed (fixedSettings);
//   - those that only change how values look pass (harmlessSettings), as every
//     driver sends some;
//   - any other is judged as the SET statement that it stands for.

// fixedSettings hold for every session, whatever the target's defaults: policy
// reads text as UTF-8 and with backslashes that mean nothing in '…'.
func fixedSettings() map[string]string {
	return map[string]string{"client_encoding": "UTF8", "standard_conforming_strings": "on"}
}

var harmlessSettings = [...]string{
	"application_name", "bytea_output", "client_min_messages", "datestyle", "extra_float_digits",
	"intervalstyle", "timezone",
}

// reservedSettings have another meaning in a startup packet than they would
// have as an option.
var reservedSettings = [...]string{"user", "database", "replication", "options"}

var settingName = regexp.MustCompile(`^[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)?$`)

// set takes one setting, the last of a name.
func (ask *request) set(name, value string) error {
	lower := strings.ToLower(name) // PostgreSQL compares names so
	if !settingName.MatchString(lower) || strings.HasPrefix(lower, extensionPrefix) {
		return &refusal{sqlstate: "42602", message: fmt.Sprintf("invalid name of a setting: %q", name)}
	}
	if slices.Contains(reservedSettings[:], lower) {
		return &refusal{sqlstate: "42501", message: fmt.Sprintf("%q cannot be set at startup", name),
			hint: "set it with SQL, where policy can judge it"}
	}
	if fixed, ok := fixedSettings()[lower]; ok {
		return checkFixed(lower, fixed, value)
	}
	ask.settings[lower] = value
	return nil
}

// checkFixed refuses another value than the fixed one. A client in the C
// locale asks for SQL_ASCII, which means bytes as they are: UTF-8 is that.
func checkFixed(name, fixed, value string) error {
	plain := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(value))
	switch {
	case name == "client_encoding" && (plain == "utf8" || plain == "unicode" || plain == "sqlascii"):
		return nil
	case name == "standard_conforming_strings" && (plain == "on" || plain == "true" || plain == "yes" || plain == "1"):
		return nil
	}
	hint := "leave the setting out"
	if name == "client_encoding" {
		hint = "set PGCLIENTENCODING=UTF8 for the client"
	}
	return &refusal{sqlstate: "22023", hint: hint,
		message: fmt.Sprintf("%s must be %s through hoop, which has to read SQL as the server does", name, fixed)}
}

// setOptions takes the settings in the options parameter: "-c name=value" and
// "--name=value", words split at blanks that no backslash stands before, as
// PostgreSQL's pg_split_opts does.
func (ask *request) setOptions(options string) error {
	words := splitOptions(options)
	for i := 0; i < len(words); i++ {
		var pair string
		switch word := words[i]; {
		case word == "-c" && i+1 < len(words):
			i++
			pair = words[i]
		case strings.HasPrefix(word, "-c"):
			pair = word[2:]
		case strings.HasPrefix(word, "--"):
			pair = word[2:]
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return &refusal{sqlstate: "42501", message: fmt.Sprintf("the startup option %q is not passed on", words[i]),
				hint: "only -c name=value and --name=value are"}
		}
		if err := ask.set(strings.ReplaceAll(name, "-", "_"), value); err != nil {
			return err
		}
	}
	return nil
}

func splitOptions(options string) []string {
	var words []string
	var word []byte
	inWord, escaped := false, false
	for i := 0; i < len(options); i++ {
		c := options[i]
		switch {
		case !escaped && strings.IndexByte(" \t\n\v\f\r", c) >= 0:
			if inWord {
				words, word, inWord = append(words, string(word)), word[:0], false
			}
		case !escaped && c == '\\':
			escaped, inWord = true, true
		default:
			word, escaped, inWord = append(word, c), false, true
		}
	}
	if inWord {
		words = append(words, string(word))
	}
	return words
}

// judgeSettings asks for a verdict on each setting that is not harmless.
func (e *Engine) judgeSettings(ctx context.Context, s *broker.Session, settings map[string]string) ([]*broker.Ticket, error) {
	var tickets []*broker.Ticket
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if slices.Contains(harmlessSettings[:], name) {
			continue
		}
		text := fmt.Sprintf("SET %s = '%s'", name, strings.ReplaceAll(settings[name], "'", "''"))
		for _, st := range e.analyzer.Statements(ctx, text) {
			t, err := s.Decide(ctx, &broker.Action{Action: policy.Action{Verb: "sql." + st.Facts.Kind, Text: text, SQL: st.Facts}})
			if err != nil {
				finish(s, tickets, err)
				return nil, fmt.Errorf("setting %s at startup: %w", name, err)
			}
			tickets = append(tickets, t)
		}
	}
	return tickets, nil
}

// finish ends the tickets of settings that came with the startup.
func finish(s *broker.Session, tickets []*broker.Ticket, err error) {
	o := broker.Outcome{Result: "ok"}
	if err != nil {
		o.Result = "lost"
	}
	for _, t := range tickets {
		s.Finish(t, o)
	}
}
