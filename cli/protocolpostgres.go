package cli

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"hoop/broker/api"
	"hoop/broker/postgres"
)

// postgresProtocol is for what speaks PostgreSQL's protocol, libpq first.
func postgresProtocol() *protocol {
	return &protocol{
		socket: ".s.PGSQL.5432", // what libpq looks for in a folder given as host
		refuse: func(c net.Conn, f *failure) {
			_ = postgres.Refuse(c, sqlstate(f.Exit), "hoop: "+f.Message, f.Hint)
		},
		tap:   func(to net.Conn) tap { return postgresTap{postgres.NewBoundary(to)} },
		env:   postgresEnv,
		uri:   postgresURI,
		ready: postgresReady,
		text:  postgresText,
		other: map[string]func(*door) string{"service": postgresService},
		run:   (*App).runOnPostgres,
		use:   func(name string) string { return "hoop connect " + name },
	}
}

// postgresTap can end a session between two messages.
type postgresTap struct{ *postgres.Boundary }

func (t postgresTap) end(reason string) bool {
	return t.End("57P01", "hoop: "+reason, "connect again") // admin_shutdown
}

// runOnPostgres runs a program, psql where none is given, on a listener of its
// own and passes its exit code on.
func (a *App) runOnPostgres(ctx context.Context, c *api.Client, conn *api.Connection, o *connectOptions) error {
	d, err := a.openDoor(c, conn, doorOptions{anyPort: true, unchecked: o.unchecked, why: o.why})
	if err != nil {
		return err
	}
	if text := d.caution(); text != "" && (d.unchecked || len(o.command) > 0) {
		a.notef("%s: %s", conn.Name, text)
	}
	serveCtx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); d.serve(serveCtx) }()
	defer func() { stop(); <-done }()
	env := postgresEnv(d)
	argv := o.command
	if len(argv) == 0 {
		argv = []string{"psql"}
		env = postgresSocketEnv(d)
	}
	return a.runChild(ctx, argv, append(withoutLibpq(os.Environ()), env...), forwarded()...)
}

// postgresReady is the content of the event that says so.
func postgresReady(d *door) map[string]any {
	host, port := "127.0.0.1", d.port
	if port == 0 {
		host, port = d.dir, 5432
	}
	return map[string]any{"host": host, "port": port, "socket_dir": d.dir, "user": d.conn.User,
		"database": d.conn.Database, "uri": postgresURI(d)}
}

func postgresText(d *door) string {
	text := fmt.Sprintf("  psql        psql %s\n", shellQuote(postgresURI(d)))
	if d.dir != "" && d.port != 0 {
		text += fmt.Sprintf("  socket      psql %s\n", shellQuote(postgresSocketURI(d)))
	}
	return text
}

// postgresService is an entry for pg_service.conf (PostgreSQL "The Connection
// Service File").
func postgresService(d *door) string {
	host, port := postgresHost(d)
	return fmt.Sprintf("[%s]\nhost=%s\nport=%s\nuser=%s\ndbname=%s\nsslmode=disable\ngssencmode=disable\n",
		d.conn.Name, host, port, d.conn.User, d.conn.Database)
}

// postgresHost is what libpq should connect to: the unix socket where there is
// one.
func postgresHost(d *door) (host, port string) {
	if d.dir != "" {
		return d.dir, "5432"
	}
	return "127.0.0.1", strconv.Itoa(d.port)
}

// sqlstate fits an exit code (PostgreSQL "Error Codes").
func sqlstate(exit int) string {
	switch exit {
	case exitDenied, exitPending, exitNoLogin:
		return "28000" // invalid_authorization_specification
	case exitNotFound:
		return "3D000" // invalid_catalog_name
	case exitUnreachable:
		return "08006" // connection_failure
	default:
		return "XX000" // internal_error
	}
}

// postgresEnv is how libpq and most drivers find the listener.
func postgresEnv(d *door) []string {
	if d.port == 0 {
		return postgresSocketEnv(d)
	}
	return append(postgresCommonEnv(d), "PGHOST=127.0.0.1", "PGPORT="+strconv.Itoa(d.port))
}

// postgresSocketEnv prefers the unix socket, where there is one, for programs
// on libpq.
func postgresSocketEnv(d *door) []string {
	host, port := postgresHost(d)
	return append(postgresCommonEnv(d), "PGHOST="+host, "PGPORT="+port)
}

// postgresCommonEnv: the listener speaks no TLS, since it is the tunnel that encrypts,
// and asks for no password; some drivers insist on one.
func postgresCommonEnv(d *door) []string {
	return []string{
		"PGUSER=" + d.conn.User, "PGPASSWORD=unused", "PGDATABASE=" + d.conn.Database,
		"PGSSLMODE=disable", "PGGSSENCMODE=disable",
		"HOOP_CONNECTION=" + d.conn.Name, "HOOP_SOCKET_DIR=" + d.dir,
	}
}

// withoutLibpq drops what would lead libpq away from the listener (PostgreSQL
// "Environment Variables").
func withoutLibpq(env []string) []string {
	drop := []string{"PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGDATABASE", "PGSERVICE",
		"PGSSLMODE", "PGREQUIRESSL", "PGSSLNEGOTIATION", "PGGSSENCMODE", "PGCHANNELBINDING", "PGREQUIREAUTH"}
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(drop, name)
	})
}

// postgresURI is the same as one URL.
func postgresURI(d *door) string {
	if d.port == 0 {
		return postgresSocketURI(d)
	}
	u := url.URL{Scheme: "postgresql", User: url.User(d.conn.User), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(d.port)),
		Path: "/" + d.conn.Database, RawQuery: "sslmode=disable"}
	return u.String()
}

// postgresSocketURI names the unix socket and no password, as libpq takes it
// (PostgreSQL "Connection URIs").
func postgresSocketURI(d *door) string {
	q := url.Values{"host": {d.dir}, "port": {"5432"}, "user": {d.conn.User}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgresql", Path: "/" + d.conn.Database, RawQuery: q.Encode()}
	return u.String()
}
