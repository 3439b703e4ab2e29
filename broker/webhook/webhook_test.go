package webhook

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hoop/broker/approval"
	"hoop/broker/store"
	"hoop/policy"
)

// receiver is a real server that fails as often as it is told.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	fail  int
	got   []*http.Request
	body  [][]byte
	ready chan struct{}
}

func newReceiver(t *testing.T, fail int) *receiver {
	r := &receiver{fail: fail, ready: make(chan struct{}, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.fail > 0 {
			r.fail--
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		r.got, r.body = append(r.got, req), append(r.body, b)
		r.ready <- struct{}{}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) wait(t *testing.T) (*http.Request, []byte) {
	t.Helper()
	select {
	case <-r.ready:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was delivered")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got[len(r.got)-1], r.body[len(r.body)-1]
}

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	st, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func run(t *testing.T, s *Sender) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { s.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}

func event(text string) approval.Event {
	alice := policy.Principal{ID: "1", Name: "alice"}
	return approval.Event{What: approval.Opened, Approval: approval.Approval{ID: "abcdefghij", State: approval.Pending, Signs: []byte{1},
		Request: approval.Request{Kind: approval.KindStatement, Connection: "prod", Principal: alice, Chain: policy.Chain{{ID: "1", Name: "alice"}},
			Text: text, Rule: "ask"}}}
}

// A delivery is signed, tried again after failures, and also after the broker
// was restarted in between; once it has arrived it does not come again.
func TestDeliveredOnceInTheEnd(t *testing.T) {
	r := newReceiver(t, 2)
	dir := t.TempDir()
	hook := Hook{URL: r.URL, Secret: []byte("s3cret"), Format: "json"}
	first := New(open(t, dir), slog.New(slog.DiscardHandler))
	first.Configure([]Hook{hook})
	first.Announce(event("delete from orders"))
	if err := first.state.(*store.Store).Close(); err != nil { // killed before it delivered
		t.Fatal(err)
	}
	st := open(t, dir)
	s := New(st, slog.New(slog.DiscardHandler))
	s.first = time.Millisecond
	s.Configure([]Hook{hook})
	stop := run(t, s)
	req, body := r.wait(t)
	if got := req.Header.Get(signatureHeader); got != sign(hook.Secret, req.Header.Get(timestampHeader), body) || len(got) != 3+64 {
		t.Errorf("signature %q", got)
	}
	var m told
	if err := json.Unmarshal(body, &m); err != nil || m.ID != "abcdefghij" || m.Event != "opened" || m.Text != "delete from orders" {
		t.Errorf("got %s, %v", body, err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		left := 0
		if err := st.ForEach(t.Context(), bucket, func(string, []byte) error { left++; return nil }); err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d messages are left", left)
		}
	}
	stop()
	_ = st.Close()
}

// Cards of chats say who, what and how to answer, and read nothing that the
// requester wrote as markup or control.
func TestCards(t *testing.T) {
	const hostile = "delete <!channel> ```*x* \u202e\x1b[2J & [a](http://evil)"
	for format, want := range map[string]string{"slack": "&lt;!channel&gt; '''*x*", "teams": "RichTextBlock"} {
		h := Hook{Format: format}
		ev := event(hostile)
		b, err := json.Marshal(h.body(&ev))
		if err != nil {
			t.Fatal(err)
		}
		var any map[string]any
		if err := json.Unmarshal(b, &any); err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(string(b))
		for _, must := range []string{want, "alice waits for an approval", "hoop approvals show abcdefghij", `\\u202e`, `\\u001b`} {
			if !strings.Contains(text, must) {
				t.Errorf("%s lacks %q:\n%s", format, must, text)
			}
		}
		if strings.Contains(text, "\u202e") || format == "slack" && strings.Contains(text, "<!channel>") {
			t.Errorf("%s passes markup on:\n%s", format, text)
		}
	}
}

// The link to the page goes with what can be answered still.
func TestLink(t *testing.T) {
	const link = "https://hoop.example.com/page/approvals/abcdefghij"
	for format, want := range map[string]string{"json": `"link":"` + link + `"`, "slack": "<" + link + "|", "teams": `"url":"` + link + `"`} {
		ev := event("delete")
		ev.Approval.Link = link
		for what, told := range map[string]bool{approval.Opened: true, approval.Ended: format == "json"} {
			ev.What = what
			b, err := json.Marshal((&Hook{Format: format}).body(&ev))
			if text := strings.ReplaceAll(string(b), `\u003c`, "<"); err != nil || strings.Contains(text, want) != told {
				t.Errorf("%s, %s: %v %s", format, what, err, text)
			}
		}
	}
}

// What a detector masked for the record is masked here too.
func TestCleanTextOnly(t *testing.T) {
	ev := event("insert into cards values ('4111111111111111')")
	ev.Approval.Clean = "insert into cards values ('[redacted]')"
	b, _ := json.Marshal((&Hook{Format: "json"}).body(&ev))
	if strings.Contains(string(b), "4111") {
		t.Errorf("got %s", b)
	}
}

func TestCheck(t *testing.T) {
	for _, h := range []Hook{{}, {URL: "http://example.com", Format: "slack"}, {URL: "https://example.com", Format: "xml"},
		{URL: "https://example.com", Format: "json"}, {URL: "https://example.com", Format: "slack", Events: []string{"all"}}} {
		if h.Check() == nil {
			t.Errorf("%+v passes", h)
		}
	}
	if err := (&Hook{URL: "https://example.com/x", Format: "teams", Events: []string{"opened"}}).Check(); err != nil {
		t.Error(err)
	}
}
