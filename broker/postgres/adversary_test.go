package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"hoop/policy"
	"hoop/recorder"
)

// lastWords reads until the connection ends and gives the last error.
func lastWords(t testing.TB, c net.Conn) string {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	last := ""
	for {
		kind, body, err := readAny(c)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isReset(err) {
			return last
		}
		if err != nil {
			t.Fatal(err)
		}
		if kind == 'E' {
			r := report{body: body}
			last = fmt.Sprintf("%s %s %s", r.field('V'), r.field('C'), r.field('M'))
		}
	}
}

// A client that breaks the protocol ends its own session and no other.
func TestClientThatBreaksTheProtocol(t *testing.T) {
	w := relayWorld(t)
	_, bystander := transparent(t, w)
	for _, bad := range []string{
		"Q\x00\x00\x00\x04", "Q\x00\x00\x00\x03", "Q\xff\xff\xff\xff", "Q\x20\x00\x00\x00", "Q\x00\x00\x00\x06ab", // no NUL, short, long
		"B\x00\x00\x00\x10a\x00b\x00\x00\x00\x00\x01\xff\xff\xff\xfe", "F\x00\x00\x00\x04", "P\x00\x00\x00\x06a\x00",
		"D\x00\x00\x00\x07Xn\x00", "E\x00\x00\x00\x05\x00", "p\x00\x00\x00\x05\x00", "z\x00\x00\x00\x04", "\x00\x00\x00\x00\x04", "GET / HTTP/1.1\r\n\r\n",
	} {
		_, c := transparent(t, w)
		if _, err := c.Write([]byte(bad)); err != nil {
			t.Fatal(err)
		}
		if got := lastWords(t, c); !strings.HasPrefix(got, "FATAL 08P01 ") {
			t.Errorf("%q was answered with %q", bad, got)
		}
	}
	talk(t, bystander, []byte(simple("select 1")), 1)
	if strings.Contains(w.log.String(), "panic") {
		t.Error(w.log.String())
	}
}

// fakeTarget relays a client to a target that the test plays.
func (w *world) fakeTarget() (client, target net.Conn, done <-chan error) {
	client, near := tcpPair(w.t.(*testing.T))
	target, far := tcpPair(w.t.(*testing.T))
	raw, _ := far.(*net.TCPConn)
	up := &upstream{conn: far, raw: raw, database: "postgres"}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer far.Close()
		defer near.Close()
		ended <- newRelay(w.engine, w.session("alice", "pg"), near, up).run(ctx)
	}()
	w.t.Cleanup(func() { cancel(); client.Close(); target.Close() })
	return client, target, ended
}

// A target that no PostgreSQL would be ends the session, and nothing that was
// not asked for reaches the client.
func TestTargetThatBreaksTheProtocol(t *testing.T) {
	row := string(frame('T', "\x00\x01x\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00"))
	detect := policy.Document{Detectors: []policy.DetectorSpec{{Classes: []string{"*"}}}, Rules: []policy.RuleSpec{{Name: "all", Effect: "allow"}}}
	for _, tt := range []struct{ name, send string }{
		{"short length", "C\x00\x00\x00\x03"},
		{"a row of 2 GB", row + "D\x7f\xff\xff\xf0\x00\x01"},
		{"a row nobody described", string(frame('D', "\x00\x01\x00\x00\x00\x01secret"))},
		{"more cells", row + string(frame('D', "\x00\x02\x00\x00\x00\x01s\x00\x00\x00\x06secret"))},
		{"a cell beyond its row", row + string(frame('D', "\x00\x01\x00\x00\x00\x09secret"))},
		{"a cell of length -2", row + string(frame('D', "\x00\x01\xff\xff\xff\xfesecret"))},
		{"a truncated description", string(frame('T', "\x00\x05name\x00")) + string(frame('D', "\x00\x05secret"))},
		{"an answer to Parse", string(frame('1'))},
		{"an answer to Bind", string(frame('2'))},
		{"suspended", string(frame('s'))},
		{"copy in", string(frame('G', "\x00\x00\x00"))},
		{"copy out", string(frame('H', "\x00\x00\x00"))},
		{"copy both", string(frame('W', "\x00\x00\x00"))},
		{"authentication", string(frame('R', u32(3)))},
		{"a key", string(frame('K', "secretkey"))},
		{"a function's result", string(frame('V', "secret"))},
		{"an error without an end", string(frame('E', "Msecret"))},
		{"a status of two bytes", string(frame('Z', "II"))},
		{"another encoding", string(frame('S', "client_encoding\x00LATIN1\x00"))},
		{"backslashes escape", string(frame('S', "standard_conforming_strings\x00off\x00"))},
		{"garbage", strings.Repeat("secret", 100)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := relayWorld(t, detect)
			client, target, done := w.fakeTarget()
			query(t, client, "select x")
			if _, _, err := readAny(target); err != nil {
				t.Fatal(err)
			}
			if _, err := target.Write([]byte(tt.send)); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(client)
			if err != nil && !isReset(err) {
				t.Fatal(err)
			}
			if !bytes.Contains(got, []byte("FATAL")) || bytes.Contains(got, []byte("secret")) {
				t.Errorf("the client read %q", got)
			}
			if err := <-done; err == nil {
				t.Error("run gave no error")
			}
			waitFor(t, func() bool { return len(w.events.of(recorder.ActionFinished)) == 1 })
			if ev := w.events.of(recorder.ActionFinished)[0]; ev.Outcome != "lost" {
				t.Errorf("the statement ended %q", ev.Outcome)
			}
			if strings.Contains(w.log.String(), "panic") {
				t.Error(w.log.String())
			}
		})
	}
}

// Settings that change how text is read are refused where SET says so, and end
// the session where only the target tells of it. No text gets to the target
// between the change and its report.
func TestSettingsThatChangeHowTextIsRead(t *testing.T) {
	for _, set := range []string{
		"set standard_conforming_strings = off", "set client_encoding = 'SJIS'",
		"select set_config('standard_conforming_strings', 'off', false)", "select set_config('client_encoding', 'SJIS', false)",
	} {
		w := relayWorld(t)
		_, c := transparent(t, w)
		if strings.HasPrefix(set, "set") {
			if got := string(talk(t, c, []byte(simple(set)+simple("show standard_conforming_strings")), 2)); !strings.Contains(got, "C22023") || !strings.Contains(got, "\x02on") {
				t.Errorf("%s was answered with %q", set, got)
			}
		} else {
			query(t, c, set)
			if got := lastWords(t, c); !strings.HasPrefix(got, "FATAL 22023 ") {
				t.Errorf("%s was answered with %q", set, got)
			}
		}
		run := func(text string) string { return parse("", text) + bindTo("", "", 0) + execute("", 0) }
		for _, send := range []string{
			run(set) + run(`select 'a\', 'delete from kept'`) + string(frame('S')),
			run(set) + string(frame('S')) + run(`select 'a\', 'delete from kept'`) + string(frame('S')),
			simple(set) + simple(`select 'a\', 'delete from kept'`),
			simple(set) + run(`select 'ä', 'delete from kept'`) + string(frame('S')),
		} {
			_, c := transparent(t, w)
			if _, err := c.Write([]byte(send + string(frame('X')))); err != nil {
				t.Fatal(err)
			}
			lastWords(t, c)
		}
		for _, ev := range w.events.of(recorder.ActionDecided) {
			if strings.Contains(ev.Text, "delete") && !strings.HasPrefix(set, "set") {
				t.Errorf("after %s, this was judged as it reads no more: %s", set, ev.Text)
			}
		}
	}
}

// Function calls outside SQL need a rule that names them.
func TestFunctionCall(t *testing.T) {
	call := string(frame('F', u32(1598), u16(0)+u16(0)+u16(0))) // random()
	past, c := transparent(t, relayWorld(t, noDeletes()))
	if got := string(talk(t, c, []byte(simple("begin")+call+simple("select 1")), 3)); !strings.Contains(got, "C42501") || !strings.Contains(got, "C25P02") {
		t.Errorf("got %q", got)
	}
	if got := string(talk(t, past, []byte(call), 1)); got[0] != 'V' {
		t.Fatalf("directly: %q", got)
	}
	named := policy.Document{Rules: []policy.RuleSpec{{Name: "calls", Actions: []string{"session.open", "sql.function_call"}, Effect: "allow"}}}
	_, c = transparent(t, relayWorld(t, named))
	if got := string(talk(t, c, []byte(call), 1)); got[0] != 'V' {
		t.Errorf("named by a rule: %q", got)
	}
}

// A notice from elsewhere waits for the end of the frame under way.
func TestNoticeFitsBetweenFrames(t *testing.T) {
	w := relayWorld(t)
	client, near := tcpPair(t)
	target, far := tcpPair(t)
	r := newRelay(w.engine, w.session("alice", "pg"), near, &upstream{conn: far, database: "postgres"})
	done := make(chan error, 1)
	go func() { done <- r.run(t.Context()) }()
	query(t, client, "select x")
	if _, _, err := readAny(target); err != nil {
		t.Fatal(err)
	}
	if err := r.notice("first"); err != nil {
		t.Fatal(err)
	}
	if kind, body, err := readAny(client); kind != 'N' || !bytes.Contains(body, []byte("first")) {
		t.Fatalf("%q %q %v", kind, body, err)
	}
	data := string(frame('D', "\x00\x01\x00\x00\x00\x10"+"0123456789abcdef"))
	if _, err := target.Write([]byte(data[:15])); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 15)
	if _, err := io.ReadFull(client, head); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { r.writing.Lock(); defer r.writing.Unlock(); return r.out.held })
	if err := r.notice("second"); err != nil {
		t.Fatal(err)
	}
	if _, err := target.Write([]byte(data[15:])); err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, len(data)-15)
	if _, err := io.ReadFull(client, rest); err != nil || string(head)+string(rest) != data {
		t.Fatalf("%q %v", string(head)+string(rest), err)
	}
	if kind, body, err := readAny(client); kind != 'N' || !bytes.Contains(body, []byte("second")) {
		t.Errorf("%q %q %v", kind, body, err)
	}
	client.Close()
	<-done
}

// Large results come whole over TLS to the target, where they are read in bulk,
// and small ones after them do not wait.
func TestBulkOverTLS(t *testing.T) {
	superuser(t, clientsSQL)
	for _, doc := range []policy.Document{noDeletes(), labels()} {
		w := relayWorld(t, doc)
		c := pgxConn(t, w.connString("")).PgConn()
		const text = "select i, '123-45-' || i, repeat('f', 100) from generate_series(1, 50000) i"
		for range 2 {
			got := c.ExecParams(t.Context(), text, nil, nil, nil, nil).Read()
			if got.Err != nil || len(got.Rows) != 50000 || string(got.Rows[49999][1]) != "123-45-50000" {
				t.Fatal(len(got.Rows), got.Err)
			}
			for range 50 {
				if err := c.ExecParams(t.Context(), "select 1", nil, nil, nil, nil).Read().Err; err != nil {
					t.Fatal(err)
				}
			}
		}
		var out bytes.Buffer
		if _, err := c.CopyTo(t.Context(), &out, "copy clients to stdout"); err != nil || strings.Count(out.String(), "\n") != 50 {
			t.Error(err, out.String())
		}
	}
}
