package recorder

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"hoop/policy"
)

// indexKey begins every event, so that a reader finds the index without
// parsing the rest.
const indexKey = `{"index":`

// appendEvent writes ev as encoding/json would. Encoding stands on the way of
// every statement, and encoding/json costs three to four times as much.
func appendEvent(b []byte, ev *Event) []byte {
	b = append(b, indexKey...)
	b = strconv.AppendUint(b, ev.Index, 10)
	return appendTail(b, ev)
}

// appendTail writes all that follows the index, which is known only under the
// log's lock.
func appendTail(b []byte, ev *Event) []byte {
	b = append(b, `,"time":"`...)
	b = ev.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","type":`...)
	b = appendString(b, string(ev.Type))
	b = appendText(b, `,"session":`, ev.Session)
	b = appendText(b, `,"connection":`, ev.Connection)
	b = appendText(b, `,"protocol":`, ev.Protocol)
	b = appendWho(b, ev)
	if ev.Action != 0 {
		b = append(b, `,"action":`...)
		b = strconv.AppendUint(b, ev.Action, 10)
	}
	b = appendText(b, `,"verb":`, ev.Verb)
	b = appendText(b, `,"text":`, ev.Text)
	b = appendText(b, `,"digest":`, ev.Digest)
	b = appendParams(b, ev.Params)
	if ev.SQL != nil {
		b = appendSQL(append(b, `,"sql":`...), ev.SQL)
	}
	if ev.SSH != nil {
		b = appendMarshalled(append(b, `,"ssh":`...), ev.SSH)
	}
	if ev.Verdict != nil {
		b = appendVerdict(append(b, `,"verdict":`...), ev.Verdict)
	}
	b = appendOutcome(b, ev)
	if ev.Approval != nil {
		b = appendMarshalled(append(b, `,"approval":`...), ev.Approval)
	}
	return append(b, '}')
}

// appendMarshalled is for what is not on the way of every statement.
func appendMarshalled(b []byte, v any) []byte {
	out, err := json.Marshal(v)
	if err != nil { // strings, numbers and a time that checkTime has let pass
		return append(b, "null"...)
	}
	return append(b, out...)
}

func appendWho(b []byte, ev *Event) []byte {
	if p := ev.Principal; p != nil {
		b = append(b, `,"principal":{"id":`...)
		b = appendString(b, p.ID)
		b = append(b, `,"name":`...)
		b = appendString(b, p.Name)
		b = appendText(b, `,"email":`, p.Email)
		b = append(b, `,"kind":`...)
		b = appendString(b, string(p.Kind))
		b = append(b, `,"groups":`...)
		b = appendStrings(b, p.Groups)
		b = append(b, `,"issuer":`...)
		b = append(appendString(b, p.Issuer), '}')
	}
	if len(ev.Chain) > 0 {
		b = appendChain(append(b, `,"chain":`...), ev.Chain)
	}
	b = appendText(b, `,"client":`, ev.Client)
	return appendText(b, `,"binding":`, ev.Binding)
}

func appendChain(b []byte, chain policy.Chain) []byte {
	sep := byte('[')
	for i := range chain {
		a := &chain[i]
		b = append(b, sep)
		b = append(b, `{"id":`...)
		b = appendString(b, a.ID)
		b = append(b, `,"name":`...)
		b = appendString(b, a.Name)
		b = append(b, `,"kind":`...)
		b = appendString(b, string(a.Kind))
		if a.Claimed {
			b = append(b, `,"claimed":true`...)
		}
		b = append(b, '}')
		sep = ','
	}
	return append(b, ']')
}

func appendParams(b []byte, params []Param) []byte {
	if len(params) == 0 {
		return b
	}
	b = append(b, `,"params":`...)
	sep := byte('[')
	for i := range params {
		p := &params[i]
		b = append(b, sep, '{')
		start := len(b)
		b = appendText(b, `,"value":`, p.Value)
		if p.Null {
			b = append(b, `,"null":true`...)
		}
		b = appendInt(b, `,"oid":`, int64(p.OID))
		if len(b) > start { // the first field has no comma before it
			b = slices.Delete(b, start, start+1)
		}
		b = append(b, '}')
		sep = ','
	}
	return append(b, ']')
}

func appendSQL(b []byte, s *policy.SQL) []byte {
	b = append(b, `{"kind":`...)
	b = appendString(b, s.Kind)
	b = append(b, `,"effects":`...)
	b = appendStrings(b, s.Effects)
	b = appendList(b, `,"reads":`, s.Reads)
	b = appendList(b, `,"writes":`, s.Writes)
	b = appendList(b, `,"tables":`, s.Tables)
	b = appendList(b, `,"functions":`, s.Functions)
	b = appendList(b, `,"settings":`, s.Settings)
	b = append(b, `,"has_where":`...)
	b = strconv.AppendBool(b, s.HasWhere)
	b = append(b, `,"unbounded":`...)
	b = strconv.AppendBool(b, s.Unbounded)
	b = append(b, `,"multi":`...)
	b = strconv.AppendBool(b, s.Multi)
	b = appendList(b, `,"labels_read":`, s.LabelsRead)
	b = append(b, `,"unknown":`...)
	b = strconv.AppendBool(b, s.Unknown)
	return append(appendText(b, `,"why":`, s.Why), '}')
}

func appendVerdict(b []byte, v *policy.Verdict) []byte {
	b = append(b, `{"effect":`...)
	b = appendString(b, v.Effect.String())
	b = append(b, `,"rule":`...)
	b = appendString(b, v.Rule)
	b = append(b, `,"reason":`...)
	b = appendString(b, v.Reason)
	b = appendText(b, `,"hint":`, v.Hint)
	b = appendList(b, `,"unmask":`, v.Unmask)
	return append(appendText(b, `,"policy":`, v.Policy), '}')
}

func appendOutcome(b []byte, ev *Event) []byte {
	b = appendText(b, `,"outcome":`, ev.Outcome)
	b = appendText(b, `,"code":`, ev.Code)
	b = appendInt(b, `,"rows":`, ev.Rows)
	b = appendInt(b, `,"bytes":`, ev.Bytes)
	b = appendInt(b, `,"duration_us":`, ev.DurationUS)
	b = appendCounts(b, `,"masked":`, ev.Masked)
	b = appendText(b, `,"reason":`, ev.Reason)
	b = appendText(b, `,"recording":`, ev.Recording)
	b = appendInt(b, `,"offset":`, ev.Offset)
	return appendText(b, `,"sha256":`, ev.SHA256)
}

// appendCounts writes the keys sorted, as encoding/json does.
func appendCounts(b []byte, key string, counts map[string]int) []byte {
	if len(counts) == 0 {
		return b
	}
	var few [8]string
	names := few[:0]
	for name := range counts {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, key...)
	sep := byte('{')
	for _, name := range names {
		b = append(b, sep)
		b = append(appendString(b, name), ':')
		b = strconv.AppendInt(b, int64(counts[name]), 10)
		sep = ','
	}
	return append(b, '}')
}

func appendText(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(append(b, key...), value)
}

func appendInt(b []byte, key string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(b, key...), n, 10)
}

func appendList(b []byte, key string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	return appendStrings(append(b, key...), list)
}

func appendStrings(b []byte, list []string) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

const hexDigits = "0123456789abcdef"

// plain reports whether a byte stands in a JSON string as it is, by the rules
// of encoding/json, which also escapes what HTML would understand.
func plain(c byte) bool {
	return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain(c) {
			i++
			continue
		}
		size := 1
		var r rune
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			if !(r == utf8.RuneError && size == 1) && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
		}
		b = append(b, s[start:i]...)
		b = appendEscape(b, c, r)
		i += size
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendEscape writes the escape of c, or of the rune r that begins with c.
func appendEscape(b []byte, c byte, r rune) []byte {
	switch {
	case c >= utf8.RuneSelf && r == utf8.RuneError:
		return append(b, `\ufffd`...)
	case c >= utf8.RuneSelf: // U+2028 and U+2029 end a line in JavaScript
		return append(b, '\\', 'u', '2', '0', '2', hexDigits[r&0xf])
	}
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// checkTime refuses what RFC 3339 cannot say.
func checkTime(t time.Time) error {
	if y := t.Year(); y < 0 || y > 9999 {
		return fmt.Errorf("encode an event: year %d is outside 0 to 9999", y)
	}
	return nil
}
