package postgres

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgproto3/v2"

	"hoop/broker"
)

// refuseTimeout bounds the whole of a refusal.
const refuseTimeout = 5 * time.Second

// refusal is an error that the client is to read.
type refusal struct {
	sqlstate, message, hint string
	err                     error // for the log; may be nil
}

func (r *refusal) Error() string { return r.message }
func (r *refusal) Unwrap() error { return r.err }

// Refuse tells the client why it gets nothing; see broker.Engine.
func (e *Engine) Refuse(client net.Conn, d *broker.Denial) error {
	return Refuse(client, sqlstateOf(d), d.Error(), d.Hint)
}

// Refuse answers a PostgreSQL client's startup with a fatal error and closes
// the connection. It reads one startup packet, and what stands before it,
// within 5 s. code is an SQLSTATE; hint may be empty.
func Refuse(conn net.Conn, code, message, hint string) error {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(refuseTimeout)); err != nil {
		return err
	}
	p, err := negotiate(conn)
	if errors.Is(err, errProtocol) {
		code, message, hint = "08P01", err.Error(), ""
	} else if err != nil {
		return err
	} else if p.code == codeCancel { // never answered, PostgreSQL "Canceling Requests in Progress"
		return nil
	}
	_, err = conn.Write(fatalFrame(code, message, hint))
	return err
}

// sqlstateOf maps the code of a denial.
func sqlstateOf(d *broker.Denial) string {
	switch d.Code {
	case broker.CodeUnavailable:
		return "08006" // connection_failure
	case broker.CodeNotFound:
		return "3D000" // invalid_catalog_name
	default:
		return "28000" // invalid_authorization_specification
	}
}

// fatalFrame is an ErrorResponse that ends the connection.
func fatalFrame(code, message, hint string) []byte {
	noNUL := func(s string) string { return strings.ReplaceAll(s, "\x00", "") }
	m := &pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code,
		Message: noNUL(message), Hint: noNUL(hint)}
	return encode(nil, m)
}

// tell ends a connection before its relay began: the client reads err, where
// it is for the client. It gives err back.
func (e *Engine) tell(ctx context.Context, client net.Conn, err error) error {
	if err == nil {
		return nil
	}
	frame := fatalOf(ctx, err)
	if frame == nil {
		return err
	}
	_ = client.SetWriteDeadline(time.Now().Add(refuseTimeout))
	if _, werr := client.Write(frame); werr != nil {
		e.log.Debug("the client left before it could be told", "err", werr)
	}
	return err
}

// fatalOf words an error for the client; nil where there is nobody to tell.
func fatalOf(ctx context.Context, err error) []byte {
	var d *broker.Denial
	var r *refusal
	switch {
	case ctx.Err() != nil: // revoked or shutting down: 57P01 is admin_shutdown
		return fatalFrame("57P01", context.Cause(ctx).Error(), "")
	case errors.Is(err, errClientGone):
		return nil
	case errors.As(err, &r):
		return fatalFrame(r.sqlstate, r.message, r.hint)
	case errors.As(err, &d):
		return fatalFrame(sqlstateOf(d), err.Error(), d.Hint)
	case errors.Is(err, errProtocol):
		return fatalFrame("08P01", err.Error(), "")
	default:
		return nil
	}
}
