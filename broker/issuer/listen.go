package issuer

import (
	"fmt"
	"net"
	"net/url"
)

// listen binds the address and, unless told otherwise, refuses any that another
// machine could reach. The bound address is checked, not the name asked for.
func listen(address string, allowNonLoopback bool) (net.Listener, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the issuer: %w", err)
	}
	tcp, ok := l.Addr().(*net.TCPAddr)
	if allowNonLoopback || ok && tcp.IP.IsLoopback() {
		return l, nil
	}
	l.Close()
	return nil, fmt.Errorf("the embedded issuer listens on loopback only and %s is not: "+
		"use a real identity provider, or allow it explicitly", address)
}

// publicURL checks the name that tokens will carry. Plain http is for loopback:
// over a network it would show passwords.
func publicURL(configured string, bound net.Addr, allowNonLoopback bool) (*url.URL, error) {
	if configured == "" {
		return &url.URL{Scheme: "http", Host: bound.String()}, nil
	}
	u, err := url.Parse(configured)
	if err != nil {
		return nil, fmt.Errorf("read the issuer's public URL: %w", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, fmt.Errorf("the issuer's public URL %q must start with https:// or http://", configured)
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, fmt.Errorf("the issuer's public URL %q must be a scheme and a host only, without a slash at its end", configured)
	case u.Scheme == "http" && !isLoopback(u.Hostname()) && !allowNonLoopback:
		return nil, fmt.Errorf("the issuer's public URL %q must use https beyond loopback", configured)
	}
	return u, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
