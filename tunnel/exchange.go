package tunnel

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
)

// maxResponseHeader bounds the head of an answer, in bytes.
const maxResponseHeader = 256 << 10

// exchange is one request, its answer, and the conn between.
type exchange struct {
	conn net.Conn
	head *io.LimitedReader
	br   *bufio.Reader
	resp *http.Response
	stop func() bool // ends the watch over the context
}

// close ends the exchange without the farewell of TLS, which may block: the
// answer's own framing tells whether it is whole.
func (ex *exchange) close() {
	ex.stop()
	abort(ex.conn)
}

func abort(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	_ = c.Close()
}

// buffered is what was read after the answer's head.
func (ex *exchange) buffered() []byte {
	n := ex.br.Buffered()
	if n == 0 {
		return nil
	}
	b, _ := ex.br.Peek(n)
	return append([]byte(nil), b...)
}

// exchange sends a request, and once more if Retry says so.
func (d *Dialer) exchange(ctx context.Context, req *http.Request) (*exchange, error) {
	ex, err := d.try(ctx, req)
	if err != nil || d.Retry == nil || !d.Retry(ex.resp) {
		return ex, err
	}
	if req.Body != nil && req.GetBody == nil {
		return ex, nil
	}
	again := req.Clone(ctx)
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return ex, nil
		}
	}
	ex.close()
	return d.try(ctx, again)
}

func (d *Dialer) try(ctx context.Context, req *http.Request) (*exchange, error) {
	conn, err := d.dial(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("connect to the broker at %s: %w", d.URL.Host, err)
	}
	ex := &exchange{conn: conn, stop: context.AfterFunc(ctx, func() { abort(conn) })}
	if err := ex.run(ctx, d, req.Clone(ctx)); err != nil {
		ex.close()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("ask the broker at %s: %w", d.URL.Host, err)
	}
	return ex, nil
}

func (ex *exchange) run(ctx context.Context, d *Dialer, req *http.Request) error {
	if d.Authorize != nil {
		exporter, err := exporterOf(ex.conn)
		if err != nil {
			return err
		}
		if err := d.Authorize(ctx, req, exporter); err != nil {
			return fmt.Errorf("authorise the request: %w", err)
		}
	}
	if err := req.Write(ex.conn); err != nil {
		return err
	}
	ex.head = &io.LimitedReader{R: ex.conn, N: maxResponseHeader}
	ex.br = bufio.NewReader(ex.head)
	resp, err := http.ReadResponse(ex.br, req)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = fmt.Errorf("the connection was closed before an answer came: %w", err)
	}
	ex.resp = resp
	ex.head.N = math.MaxInt64
	return err
}

func exporterOf(c net.Conn) ([]byte, error) {
	t, ok := c.(*tls.Conn)
	if !ok {
		return nil, nil
	}
	state := t.ConnectionState()
	b, err := Exporter(&state)
	if err != nil {
		return nil, fmt.Errorf("bind the request to the TLS connection: %w", err)
	}
	return b, nil
}
