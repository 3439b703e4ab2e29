package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// rawConn is a conn on which nothing but frame headers is read, so that the
// client costs as little as one can.
type rawConn struct {
	conn net.Conn
	buf  []byte
}

func openRaw(ctx context.Context, dsn string) (*rawConn, error) {
	c, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	h, err := c.Hijack()
	if err != nil {
		return nil, err
	}
	return &rawConn{conn: h.Conn, buf: make([]byte, 256<<10)}, nil
}

func (r *rawConn) close() {
	_, _ = r.conn.Write([]byte{'X', 0, 0, 0, 4}) // Terminate
	_ = r.conn.Close()
}

// transfer is what one statement sent back.
type transfer struct {
	rows, bytes int
	took        time.Duration
}

// query runs one statement and walks its answer until ReadyForQuery: type,
// length, skip (PostgreSQL "Message Formats").
func (r *rawConn) query(ctx context.Context, sql string) (transfer, error) {
	var t transfer
	begin := time.Now()
	defer context.AfterFunc(ctx, func() { _ = r.conn.Close() })()
	msg := binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(len(sql)+5)) //nolint:gosec // our own short text
	if _, err := r.conn.Write(append(append(msg, sql...), 0)); err != nil {
		return t, err
	}
	held, skip := 0, 0
	for {
		n, err := r.conn.Read(r.buf[held:])
		if err != nil {
			return t, fmt.Errorf("after %d rows: %w", t.rows, err)
		}
		t.bytes += n
		rest := r.buf[:held+n]
		for {
			if skip >= len(rest) {
				skip -= len(rest)
				rest = nil
				break
			}
			rest = rest[skip:]
			skip = 0
			if len(rest) < 5 {
				break
			}
			switch rest[0] {
			case 'D', 'd':
				t.rows++
			case 'E':
				return t, fmt.Errorf("%w: %q", errUnexpected, rest[:min(len(rest), 200)])
			case 'Z':
				t.took = time.Since(begin)
				return t, nil
			}
			skip = int(binary.BigEndian.Uint32(rest[1:])) + 1
		}
		held = copy(r.buf, rest)
	}
}

func (b *bench) selectAll(ctx context.Context, t *target, name string) error {
	return b.bulk(ctx, t, name, "SELECT * FROM customers")
}

func (b *bench) copyOut(ctx context.Context, t *target, name string) error {
	return b.bulk(ctx, t, name, "COPY customers TO STDOUT")
}

// bulk reads the whole table on a session of its own.
func (b *bench) bulk(ctx context.Context, t *target, name, sql string) error {
	c, err := openRaw(ctx, t.dsn(b.world))
	if err != nil {
		return err
	}
	defer c.close()
	mine := selfCPU()
	got, err := c.query(ctx, sql)
	if err != nil {
		return err
	}
	if got.rows != b.options.rows {
		return fmt.Errorf("%w: %d rows, not %d", errUnexpected, got.rows, b.options.rows)
	}
	b.results.add(t.name, name, "mbs", float64(got.bytes)/1e6/got.took.Seconds())
	b.results.add(t.name, name, "client", (selfCPU() - mine).Seconds())
	return nil
}

// connects is how many sessions one round opens one after another.
const connects = 40

// connect opens a session, asks one question and closes it.
func (b *bench) connect(ctx context.Context, t *target, name string) error {
	times := make([]float64, 0, connects)
	for range connects {
		begin := time.Now()
		c, err := pgconn.Connect(ctx, t.dsn(b.world))
		if err != nil {
			return err
		}
		if _, err := c.Exec(ctx, "SELECT 1").ReadAll(); err != nil {
			return err
		}
		if err := c.Close(ctx); err != nil {
			return err
		}
		times = append(times, float64(time.Since(begin).Microseconds())/1000)
	}
	slices.Sort(times)
	b.results.add(t.name, name, "p50", times[len(times)/2])
	return nil
}
