package demo

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// visit opens a page as a person at a browser would, fills the sign-in form
// and follows where that leads.
func visit(ctx context.Context, address, name, password string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	client := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	page, at, err := fetch(ctx, client, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	form := hidden(page)
	form.Set("login", name)
	form.Set("password", password)
	page, at, err = fetch(ctx, client, http.MethodPost, at, form)
	if err != nil {
		return err
	}
	if strings.Contains(page, `role="alert"`) {
		return errors.New("the issuer did not accept the sign-in at " + at)
	}
	return nil
}

func fetch(ctx context.Context, client *http.Client, method, address string, form url.Values) (page, at string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", resp.Request.URL.Host, resp.Status)
	}
	return string(body), resp.Request.URL.String(), err
}

// hidden reads the hidden fields of a page's form.
func hidden(page string) url.Values {
	out := url.Values{}
	tag := regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	for _, m := range tag.FindAllStringSubmatch(page, -1) {
		out.Set(m[1], html.UnescapeString(m[2]))
	}
	return out
}
