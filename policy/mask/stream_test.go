package mask

import (
	"strings"
	"testing"
	"time"

	"hoop/policy"
)

var noon = time.Date(2024, 5, 31, 12, 0, 0, 0, time.UTC)

// whole masks a text in one piece.
func whole(d *Detectors, text []byte, c Context) string {
	out, found := d.MaskText(nil, text, c, nil)
	if !found {
		return string(text)
	}
	return string(out)
}

// inPieces masks a text that comes cut at the given places, without a pause.
func inPieces(d *Detectors, text []byte, c Context, cuts ...int) string {
	s := d.NewStream(StreamOptions{Context: c})
	var out []byte
	at := 0
	for _, cut := range append(cuts, len(text)) {
		out = s.Write(out, text[at:cut], noon)
		at = cut
	}
	return string(s.Close(out))
}

// Every text of the corpus comes out the same whole, cut in two anywhere, and
// byte by byte.
func TestStreamEqualsWhole(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact", Text: "#"})
	step := 1
	if testing.Short() {
		step = 7
	}
	texts, failed := 0, 0
	for i, s := range corpus(t) {
		if i%6 != 0 { // a sixth of them: 1,099 texts
			continue
		}
		texts++
		text, c := []byte(s.Text), s.context()
		want := whole(d, text, c)
		single := make([]int, len(text))
		for k := range single {
			single[k] = k
		}
		if got := inPieces(d, text, c, single...); got != want {
			failed++
			t.Errorf("%s byte by byte:\n got %q\nwant %q", s.ID, got, want)
		}
		for cut := 0; cut < len(text); cut += step {
			if got := inPieces(d, text, c, cut); got != want {
				failed++
				t.Errorf("%s cut at %d:\n got %q\nwant %q", s.ID, cut, got, want)
				break
			}
		}
		if failed > 20 {
			t.Fatal("and so on")
		}
	}
	if texts < 1000 {
		t.Errorf("only %d texts", texts)
	}
}

// FuzzStream cuts any text anywhere.
func FuzzStream(f *testing.F) {
	for _, text := range []string{
		"mail ada@example.com, +1 212 555 0142 x12 fax\nGB82 WEST 1234 5698 7654 32 end",
		"password: \"hunter2\", \x1b[1m4012 8888\x1b[0m 8888 1881\x1b[3;4H078-05-1120",
		"https://app:hunter2@db/x -----BEGIN PRIVATE KEY-----\nabcd\n-----END PRIVATE KEY-----\n",
	} {
		f.Add([]byte(text), uint16(7), uint16(30))
	}
	for i, s := range seeds(f, 40) {
		f.Add([]byte(s.Text), uint16(i), uint16(3*i))
	}
	d := allDetectors(f, policy.MaskSpec{Method: "redact", Text: "#"})
	f.Fuzz(func(t *testing.T, text []byte, a, b uint16) {
		if len(text) == 0 || len(text) > maxPast {
			return // beyond, the context is cut and the promise is a weaker one
		}
		first := int(a) % len(text)
		second := first + int(b)%(len(text)-first)
		want := whole(d, text, Context{})
		if got := inPieces(d, text, Context{}, first, second); got != want {
			t.Errorf("cut at %d and %d:\n got %q\nwant %q", first, second, got, want)
		}
	})
}

func TestStreamHoldsNoLongerThanItsDelay(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact", Text: "#"})
	s := d.NewStream(StreamOptions{})
	out := s.Write(nil, []byte("$ card 4012 8888 "), noon)
	if string(out) != "$ card " {
		t.Errorf("released %q", out)
	}
	due, held := s.Deadline()
	if want := noon.Add(DefaultDelay); !held || !due.Equal(want) {
		t.Errorf("due %v, want %v", due, want)
	}
	if out = s.Expire(nil, due.Add(-time.Nanosecond)); len(out) != 0 {
		t.Errorf("%q before the time", out)
	}
	if out = s.Expire(nil, due); string(out) != "4012 8888 " {
		t.Errorf("released %q", out)
	}
	if _, held = s.Deadline(); held {
		t.Error("something is held after the release")
	}
	// The value that was cut by the pause is masked from here on.
	out = s.Close(s.Write(nil, []byte("8888 1881 ok"), due))
	if string(out) != "# ok" {
		t.Errorf("after the pause: %q", out)
	}
}

func TestStreamMasksAcrossPauseOnce(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact", Text: "#"})
	s := d.NewStream(StreamOptions{})
	out := s.Write(nil, []byte("password=hunter2"), noon)
	out = s.Expire(out, noon.Add(time.Second))
	out = s.Close(s.Write(out, []byte("and3more\n"), noon.Add(time.Second)))
	if string(out) != "password=#\n" {
		t.Errorf("%q", out)
	}
}

func TestStreamDeadlineDoesNotMove(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact"})
	s := d.NewStream(StreamOptions{})
	s.Write(nil, []byte("abc"), noon)
	s.Write(nil, []byte("def"), noon.Add(15*time.Millisecond))
	if due, _ := s.Deadline(); !due.Equal(noon.Add(DefaultDelay)) {
		t.Errorf("due %v after the first byte", due.Sub(noon))
	}
}

func TestStreamReleasesPromptsAndEcho(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact"})
	s := d.NewStream(StreamOptions{})
	for _, prompt := range []string{"$ ", "\x1b[01;32mapp@web\x1b[00m:\x1b[01;34m~\x1b[00m$ ", ">>> ", "mysql> ", "db=# ", "Password: "} {
		if out := s.Write(nil, []byte(prompt), noon); string(out) != prompt {
			t.Errorf("prompt %q: %q", prompt, out)
		}
	}
	s.Typed([]byte("ls\r"), noon)
	for _, key := range []string{"l", "s", "\r\n"} {
		if out := s.Write(nil, []byte(key), noon); string(out) != key {
			t.Errorf("echo of %q: %q", key, out)
		}
	}
	if out := s.Write(nil, []byte("x"), noon); len(out) != 0 {
		t.Errorf("what nobody typed is released: %q", out)
	}
	s.Close(nil)
	s.Typed([]byte("y"), noon)
	if out := s.Write(nil, []byte("y"), noon.Add(2*time.Second)); len(out) != 0 {
		t.Errorf("an old key is echoed: %q", out)
	}
}

// Echo is known by what was typed, whatever a program puts around it, and even
// where some keys bring none.
func TestStreamKnowsEcho(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact"})
	for _, c := range []struct{ name, typed, comes, held string }{
		{"colours", "x", "\x1b[?25lx\x1b[?25h", ""},
		{"a key without echo before it", "qjjx", "x", ""},
		{"an interrupt", "\x03", "^C", ""},
		{"a paste", "\x1b[200~ls -l\x1b[201~", "\x1b[7mls -l\x1b[27m", ""},
		{"written twice", "d", "\x1b[Kd\bd", ""},
		{"return", "ls\r", "ls\r\n", ""},
		{"more than was typed", "ca", "cat", "t"},
		{"not what was typed", "x", "y", "y"},
		{"half of it, after keys without echo", "qx", "xy", "xy"},
	} {
		s := d.NewStream(StreamOptions{})
		s.Typed([]byte(c.typed), noon)
		out := s.Write(nil, []byte(c.comes), noon)
		if string(out)+c.held != c.comes {
			t.Errorf("%s: %q comes out of %q", c.name, out, c.comes)
		}
	}
}

func TestStreamHoldsLittle(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact", Text: "#"})
	key := "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIB\n", 400) + "-----END PRIVATE KEY-----"
	for name, c := range map[string]struct{ in, want string }{
		"a key":   {"a " + key + "\nb", "a #\nb"},
		"a token": {"password=" + strings.Repeat("aB3", 4000) + " b", ""},
		"a word":  {strings.Repeat("w", 20000) + " b", strings.Repeat("w", 20000) + " b"},
	} {
		s := d.NewStream(StreamOptions{})
		var out []byte
		for i := range c.in {
			out = s.Write(out, []byte(c.in[i:i+1]), noon)
			if len(s.held) > MaxHold || len(s.past) > maxPast {
				t.Fatalf("%s: %d bytes held, %d of context", name, len(s.held), len(s.past))
			}
		}
		if out = s.Close(out); c.want != "" && string(out) != c.want {
			t.Errorf("%s: %d bytes: %.80q", name, len(out), out)
		}
	}
}

func TestStreamCountsFindings(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact"})
	n := map[string]int{}
	text := strings.Repeat("nothing here ", 60) + "ada@example.com " + strings.Repeat("or here ", 60) + "ada@example.com 078-05-1120 "
	s := d.NewStream(StreamOptions{Found: func(f Finding) {
		n[f.Class]++
		if !strings.HasPrefix(text[f.Start:], "ada@") && f.Class == "email" || text[f.End] != ' ' {
			t.Errorf("%+v", f)
		}
	}})
	for i := range text {
		s.Write(nil, []byte(text[i:i+1]), noon)
	}
	s.Close(nil)
	if n["email"] != 2 || n["us_ssn"] != 1 || len(n) != 2 {
		t.Errorf("%v", n)
	}
}
