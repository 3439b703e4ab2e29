package tunnel

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// dialTCP connects to addr, through an HTTP proxy if one is given.
func (d *Dialer) dialTCP(ctx context.Context, addr string, proxy *url.URL) (net.Conn, error) {
	var nd net.Dialer
	if proxy == nil {
		return nd.DialContext(ctx, "tcp", addr)
	}
	if proxy.Scheme != "http" && proxy.Scheme != "https" {
		return nil, fmt.Errorf("proxy %s: only http and https proxies are supported", proxy.Redacted())
	}
	conn, err := nd.DialContext(ctx, "tcp", hostPort(proxy))
	if err != nil {
		return nil, fmt.Errorf("connect to the proxy: %w", err)
	}
	if proxy.Scheme == "https" {
		cfg := tlsConfig(nil)
		cfg.ServerName = proxy.Hostname()
		if conn, err = startTLS(ctx, conn, cfg, &d.settings().pool); err != nil {
			return nil, err
		}
	}
	stop := context.AfterFunc(ctx, func() { abort(conn) })
	err = connectVia(conn, addr, proxy)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		abort(conn)
		return nil, fmt.Errorf("proxy %s: %w", proxy.Redacted(), err)
	}
	return conn, nil
}

// connectVia asks the proxy for a tunnel (RFC 9110 §9.3.6).
func connectVia(conn net.Conn, addr string, proxy *url.URL) error {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		basic := base64.StdEncoding.EncodeToString([]byte(u.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+basic)
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	br := bufio.NewReaderSize(conn, 4<<10)
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("CONNECT was answered with %s", resp.Status)
	}
	if br.Buffered() > 0 { // the broker speaks second, so this is not its
		return errors.New("data before the tunnel was used")
	}
	return nil
}
