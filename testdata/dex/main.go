// Command dex serves one dex issuer for tests: in memory, on loopback, with the
// people and the client that the tests of cli/login know. It is the second,
// independent issuer that logins are tested against, and lives in a module of
// its own so that dex never becomes a dependency of hoop.
//
// It prints "ready URL" and ends when its standard input does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/server/signer"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/dexidp/dex/web"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	password := flag.String("password", "", "password of alice@example.com and mallory@example.com")
	flag.Parse()
	if err := run(*listen, *password); err != nil {
		fmt.Fprintln(os.Stderr, "dex:", err)
		os.Exit(1)
	}
}

func run(listen, password string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	issuer := "http://" + l.Addr().String()
	handler, err := newDex(ctx, issuer, password)
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	fmt.Println("ready", issuer)
	io.Copy(io.Discard, os.Stdin) // until whoever started us is gone
	err = srv.Close()
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

func newDex(ctx context.Context, issuer, password string) (http.Handler, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := people(memory.New(log), password, log)
	if err != nil {
		return nil, err
	}
	const idTokens = 10 * time.Minute
	sign, err := (&signer.LocalConfig{KeysRotationPeriod: "6h"}).Open(ctx, store, idTokens, time.Now, log)
	if err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	// The second argument switches rotation off: false is on.
	refresh, err := server.NewRefreshTokenPolicy(log, false, "", "24h", "")
	if err != nil {
		return nil, fmt.Errorf("refresh policy: %w", err)
	}
	return server.NewServer(ctx, server.Config{
		Issuer:             issuer,
		Storage:            store,
		SkipApprovalScreen: true,
		IDTokensValidFor:   idTokens,
		RefreshTokenPolicy: refresh,
		Web:                server.WebConfig{WebFS: web.FS()},
		Logger:             log,
		Signer:             sign,
	})
}

// people adds two persons, the local connector and hoop's public client. A
// public client without redirect URIs may use every loopback port.
func people(s storage.Storage, password string, log *slog.Logger) (storage.Storage, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost+6)
	if err != nil {
		return nil, fmt.Errorf("hash the password: %w", err)
	}
	s = storage.WithStaticPasswords(s, []storage.Password{
		{Email: "alice@example.com", Username: "alice", Name: "Alice Example", UserID: "u-alice", Hash: hash, Groups: []string{"engineers", "oncall"}},
		{Email: "mallory@example.com", Username: "mallory", UserID: "u-mallory", Hash: hash},
	}, log)
	s = storage.WithStaticConnectors(s, []storage.Connector{{ID: server.LocalConnector, Name: "Email", Type: server.LocalConnector}})
	return storage.WithStaticClients(s, []storage.Client{{ID: "hoop", Name: "hoop", Public: true}}), nil
}
