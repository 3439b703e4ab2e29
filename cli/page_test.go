package cli

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"hoop/broker/approval"
	"hoop/cli/serve"
	"hoop/recorder"
)

// held is psql of alice, waiting for an answer.
type held struct {
	t    *testing.T
	cmd  *exec.Cmd
	mu   sync.Mutex
	out  bytes.Buffer
	link string
}

func (h *held) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.out.Write(p)
}

func (h *held) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.out.String()
}

var linkRE = regexp.MustCompile(`or in a browser: (https://\S+/page/approvals/([a-z0-9]+))`)

// hold runs a statement as alice and returns once psql shows the link to the
// page where it can be answered.
func hold(t *testing.T, sql string) *held {
	t.Helper()
	h := &held{t: t, cmd: hoopCommand(t, asAlice(t), "connect", "demo-pg", "--", "psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", sql)}
	h.cmd.Stdout, h.cmd.Stderr = h, h
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.cmd.Process.Kill(); _ = h.cmd.Wait() })
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if m := linkRE.FindStringSubmatch(h.text()); m != nil {
			h.link = m[1]
			return h
		}
	}
	t.Fatalf("psql shows no link:\n%s", h.text())
	return nil
}

func (h *held) id() string { return h.link[strings.LastIndex(h.link, "/")+1:] }

// pageBrowser is a browser that trusts the world's authority.
func pageBrowser(t *testing.T) *browser {
	t.Helper()
	b := newBrowser(t)
	pem, err := os.ReadFile(world(t).CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	b.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}
	t.Cleanup(b.client.CloseIdleConnections)
	return b
}

var (
	hrefRE = regexp.MustCompile(`<a class="button" href="([^"]+)"`)
	nextRE = regexp.MustCompile(`<a href="([^"]+)">Go on</a>`)
)

// follow goes where the first match in the page leads.
func (b *browser) follow(re *regexp.Regexp) {
	b.t.Helper()
	m := re.FindStringSubmatch(b.page)
	if m == nil {
		b.t.Fatalf("no link in:\n%s", b.page)
	}
	at, err := url.Parse(b.at)
	if err != nil {
		b.t.Fatal(err)
	}
	to, err := at.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.get(to.String())
}

// signedIn is a browser of a person who came by a link and signed in.
func signedIn(t *testing.T, name, link string) *browser {
	t.Helper()
	b := pageBrowser(t)
	b.get(link)
	b.follow(hrefRE)
	b.submit(url.Values{"login": {name}, "password": {password(t, name)}})
	b.follow(nextRE)
	if !strings.Contains(b.page, "Signed in as") || b.at != link {
		t.Fatalf("%s is at %s:\n%s", name, b.at, b.page)
	}
	return b
}

// form reads the value of a hidden field.
func (b *browser) form(name string) string {
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(b.page)
	if m == nil {
		return ""
	}
	return m[1]
}

// post sends a form as it stands, and gives the status.
func (b *browser) post(address string, values url.Values, header ...string) int {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, address, strings.NewReader(values.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(req)
	b.take(resp, err)
	if err != nil {
		return 0
	}
	return resp.StatusCode
}

// Alice's statement waits in psql; bob opens the link on another device, signs
// in, sees all of it with nothing that moves his eyes, and approves: it runs
// once, and the record proves by which way.
func TestAnsweredOnThePage(t *testing.T) {
	t.Parallel()
	h := hold(t, "CREATE TABLE page_yes (\"a\u202e\x1b[2J<b>\u200bz\" int)")
	bob := signedIn(t, "bob", h.link)
	for _, want := range []string{"alice@demo.example", "demo-pg", "no-ddl-without-approval", "changes to tables need a second person", "expires in 1",
		`CREATE TABLE page_yes (&#34;a<span class="odd">\u202e</span><span class="odd">\u001b</span>[2J&lt;b&gt;<span class="odd">\u200b</span>z&#34; int)`} {
		if !strings.Contains(bob.page, want) {
			t.Errorf("the page does not show %q:\n%s", want, bob.page)
		}
	}
	bob.submit(url.Values{"decision": {"deny"}})
	if !strings.Contains(bob.page, "Say why you deny it") {
		t.Errorf("a denial without a reason: %s", bob.page)
	}
	bob.submit(url.Values{"decision": {"approve"}, "comment": {"as agreed"}, "for": {"0"}})
	if !strings.Contains(bob.page, "<strong>approved</strong>") || !strings.Contains(bob.page, "approve: as agreed (in a browser)") {
		t.Errorf("bob sees:\n%s", bob.page)
	}
	if err := h.cmd.Wait(); err != nil || !strings.Contains(h.text(), "CREATE TABLE") {
		t.Errorf("psql: %v\n%s", err, h.text())
	}
	aliceSees := hoop(t, asAlice(t), "approvals", "show", h.id()).must(t, 0).stdout
	if !strings.Contains(aliceSees, "bob@demo.example: approve in a browser (as agreed)") {
		t.Errorf("alice sees:\n%s", aliceSees)
	}
	ev := answerEvent(t, h.id())
	if ev.Approval.Via != approval.ViaPage || ev.Principal.Name != "bob@demo.example" || ev.Binding != approval.ViaPage {
		t.Errorf("the record has %+v of %s", ev.Approval, ev.Principal.Name)
	}
	if err := approval.VerifyEvent(&ev); err != nil {
		t.Error(err)
	}
	forged := ev
	mallory := *ev.Principal
	mallory.ID += "x"
	forged.Principal = &mallory
	if approval.VerifyEvent(&forged) == nil {
		t.Error("the answer passes for somebody else's")
	}
}

func answerEvent(t *testing.T, id string) (found recorder.Event) {
	t.Helper()
	err := recorder.Scan(serve.AuditDir(world(t).Broker.Config()), 0, func(ev *recorder.Event) error {
		if ev.Type == recorder.ApprovalAnswered && ev.Approval.ID == id {
			found = *ev
		}
		return nil
	})
	if err != nil || found.Approval == nil {
		t.Fatalf("no answer to %s is recorded: %v", id, err)
	}
	return found
}

// What must not work at the page, and what then does: bob's denial.
func TestAttacksOnThePage(t *testing.T) {
	t.Parallel()
	h := hold(t, "CREATE TABLE page_no ()")
	stranger := pageBrowser(t)
	stranger.get(h.link)
	if strings.Contains(stranger.page, "page_no") || !strings.Contains(stranger.page, "Sign in with") {
		t.Errorf("who is not signed in sees:\n%s", stranger.page)
	}
	if stranger.post(h.link, url.Values{"decision": {"approve"}}); strings.Contains(stranger.page, "page_no") {
		t.Error("who is not signed in answers")
	}
	base := strings.TrimSuffix(h.link, "approvals/"+h.id())
	stranger.get(base + "signed-in?code=x&state=y")
	if !strings.Contains(stranger.page, "not begun in this browser") {
		t.Errorf("a sign-in of somebody else: %s", stranger.page)
	}

	mallory := pageBrowser(t)
	mallory.get(h.link)
	mallory.follow(hrefRE)
	mallory.submit(url.Values{"login": {"mallory"}, "password": {password(t, "mallory")}})
	mallory.follow(nextRE)
	if !strings.Contains(mallory.page, "no such approval") || strings.Contains(mallory.page, "page_no") {
		t.Errorf("mallory sees:\n%s", mallory.page)
	}

	alice, bob := signedIn(t, "alice", h.link), signedIn(t, "bob", h.link)
	if strings.Contains(alice.page, `name="decision"`) || !strings.Contains(alice.page, "You may not answer: you are in the chain that asks") {
		t.Errorf("alice sees:\n%s", alice.page)
	}
	digest, csrf := bob.form("digest"), bob.form("csrf")
	yes := func(digest, csrf string) url.Values {
		return url.Values{"decision": {"approve"}, "digest": {digest}, "csrf": {csrf}}
	}
	for _, attack := range []struct {
		name   string
		who    *browser
		values url.Values
		header []string
		status int
		says   string
	}{
		{"alice approves for herself", alice, yes(digest, alice.form("csrf")), nil, 409, "you are in the chain that asks"},
		{"a form of another site", bob, yes(digest, csrf), []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"a form of another origin", bob, yes(digest, csrf), []string{"Origin", "https://evil.example"}, 403, ""},
		{"no token", bob, yes(digest, ""), nil, 403, "not from this page"},
		{"alice's token", bob, yes(digest, alice.form("csrf")), nil, 403, "not from this page"},
		{"another digest", bob, yes(strings.Repeat("0", 64), csrf), nil, 409, "something else than what waits now"},
		{"no digest", bob, yes("", csrf), nil, 409, "something else than what waits now"},
		{"no decision", bob, url.Values{"digest": {digest}, "csrf": {csrf}}, nil, 409, "no decision"},
		{"a grant for ever", bob, url.Values{"decision": {"approve"}, "digest": {digest}, "csrf": {csrf}, "for": {"99999999"}}, nil, 409, "lasts 24h"},
	} {
		if status := attack.who.post(h.link, attack.values, attack.header...); status != attack.status || !strings.Contains(attack.who.page, attack.says) {
			t.Errorf("%s: got %d:\n%s", attack.name, status, attack.who.page)
		}
	}
	no := url.Values{"decision": {"deny"}, "digest": {digest}, "csrf": {csrf}, "comment": {"not now"}}
	if status := bob.post(h.link, no); status != 200 || !strings.Contains(bob.page, "<strong>denied</strong>") {
		t.Errorf("bob denies: %d\n%s", status, bob.page)
	}
	if status := bob.post(h.link, yes(digest, csrf)); status != 409 || !strings.Contains(bob.page, "is denied already") {
		t.Errorf("a second answer: %d\n%s", status, bob.page)
	}
	if err := h.cmd.Wait(); err == nil || !strings.Contains(h.text(), "not now") {
		t.Errorf("psql: %v\n%s", err, h.text())
	}
	if status := bob.post(base+"sign-out", url.Values{"csrf": {csrf}}); status != 200 {
		t.Errorf("signing out: %d", status)
	}
	if bob.get(h.link); strings.Contains(bob.page, "page_no") {
		t.Error("the page is open to who signed out")
	}
}

// What comes with a page keeps browsers from being used against it.
func TestHeadersOfThePage(t *testing.T) {
	t.Parallel()
	b := pageBrowser(t)
	resp, err := b.client.Get(world(t).BrokerURL() + "/page/approvals")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	csp := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the content policy lacks %s: %s", want, csp)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") {
		t.Errorf("the content policy is %s", csp)
	}
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	files, err := filepath.Glob("../broker/page/pages/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil || bytes.Contains(text, []byte("<script")) || regexp.MustCompile(`\son[a-z]+=`).Match(text) {
			t.Errorf("%s has script: %v", f, err)
		}
	}
	// A link in a chat brings no strict cookie: the page goes on to itself first.
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, world(t).BrokerURL()+"/page/approvals", nil)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if b.take(b.client.Do(req)); !strings.Contains(b.page, `content="0;url=/page/approvals?here"`) {
		t.Errorf("got:\n%s", b.page)
	}
}
