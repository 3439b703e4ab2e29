package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// settle is how long sessions are left alone before memory is read: long enough
// for what a process gives back by itself, short enough for a bench.
const settle = 5 * time.Second

// idle opens many sessions, asks each one question, leaves them alone and
// divides what the processes grew by.
func (b *bench) idle(ctx context.Context, t *target) error {
	if len(t.between) == 0 {
		return nil
	}
	between, err := usageOf(t.between)
	if err != nil {
		return err
	}
	broker, err := usageOf(t.broker)
	if err != nil {
		return err
	}
	conns := make([]*pgconn.PgConn, 0, b.options.idle)
	defer func() {
		for _, c := range conns {
			_ = c.Close(ctx)
		}
	}()
	for range b.options.idle {
		c, err := pgconn.Connect(ctx, t.dsn(b.world))
		if err != nil {
			return fmt.Errorf("session %d: %w", len(conns)+1, err)
		}
		conns = append(conns, c)
		if _, err := c.Exec(ctx, "SELECT abalance FROM pgbench_accounts WHERE aid = 1").ReadAll(); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settle):
	}
	betweenNow, err := usageOf(t.between)
	if err != nil {
		return err
	}
	brokerNow, err := usageOf(t.broker)
	if err != nil {
		return err
	}
	per := func(now, before usage) float64 { return float64(now.rss-before.rss) / 1024 / float64(len(conns)) }
	b.results.add(t.name, "idle", "kib", per(betweenNow, between))
	b.results.add(t.name, "idle", "broker", per(brokerNow, broker))
	b.results.add(t.name, "idle", "rss", float64(brokerNow.rss)/(1<<20))
	return nil
}

// checkMasked makes sure that the broker which is measured masks: the last four
// digits of a card stay, the e-mail address does not.
func checkMasked(ctx context.Context, w *world, t *target) error {
	c, err := pgconn.Connect(ctx, t.dsn(w))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	got, err := c.Exec(ctx, "SELECT ssn, card, email, note FROM customers WHERE id = 50").ReadAll()
	if err != nil {
		return err
	}
	want, err := clearValues(ctx, w)
	if err != nil {
		return err
	}
	if len(got) != 1 || len(got[0].Rows) != 1 {
		return errUnexpected
	}
	for i, v := range got[0].Rows[0] {
		if string(v) == string(want[i]) || strings.Contains(string(v), "second50@home.example.org") {
			return fmt.Errorf("%w: column %d came unmasked", errUnexpected, i+1)
		}
	}
	return nil
}

// clearValues reads the same without a broker.
func clearValues(ctx context.Context, w *world) ([][]byte, error) {
	c, err := pgconn.Connect(ctx, w.direct("app", "bench"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close(ctx) }()
	got, err := c.Exec(ctx, "SELECT ssn, card, email, note FROM customers WHERE id = 50").ReadAll()
	if err != nil {
		return nil, err
	}
	if len(got) != 1 || len(got[0].Rows) != 1 {
		return nil, errUnexpected
	}
	return got[0].Rows[0], nil
}
