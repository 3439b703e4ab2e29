package sftp

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Decide says whether a request may be forwarded. It returns before anything of
// the request reaches the server, may take as long as it wants and is not
// called twice at the same time for one conversation. An error means: do not
// forward; its text is told to the client. Otherwise finish is called once, with
// how it ended, from any goroutine; nil is possible.
type Decide func(ctx context.Context, op *Operation) (finish func(Result), err error)

// Operation is a request that names a file, as a rule and a record need it.
type Operation struct {
	Verb string // one of policy's: "ssh.sftp_write"; "ssh.unknown" is never forwarded
	Name string // the protocol's: "open", "posix-rename@openssh.com"

	// Raw and NewRaw are the paths as the client sent them, byte for byte.
	Raw, NewRaw string
	// Path and NewPath are where they lead: absolute, cleaned, and through links
	// where the target could tell. Relative ones could not be resolved.
	Path, NewPath string
	// Named and NewNamed are the paths as named, absolute and cleaned, where
	// links make that another place than Path and NewPath; else "".
	Named, NewNamed string

	// Detail is what else is asked: "create truncate", "mode=0644".
	Detail string
	// Exact is the request without its id, for a digest.
	Exact []byte

	// Waited is set by Decide where people were asked: in so much time somebody may
	// have led a path elsewhere, so that the target is asked again.
	Waited bool
}

// Text describes the operation in one line: its name, its paths as they were
// sent, quoted where they have to be, and its detail.
func (o *Operation) Text() string {
	var b strings.Builder
	b.WriteString(o.Name)
	for _, p := range []string{o.Raw, o.NewRaw} {
		if p != "" {
			b.WriteString(" " + quoted(p))
		}
	}
	if o.Detail != "" {
		b.WriteString(" " + o.Detail)
	}
	return b.String()
}

// quoted is a path in Go's quotes where it holds more than letters, digits and
// what is usual in paths.
func quoted(p string) string {
	for _, r := range p {
		if r <= ' ' || r == '"' || r == '\'' || r == '\\' || r > '~' {
			return strconv.Quote(p)
		}
	}
	return p
}

// Result is how a forwarded operation ended. For a file or folder that was
// opened that is when it was closed.
type Result struct {
	Code     uint32 // of SSH_FXP_STATUS, StatusOK where the server gave what was asked
	Lost     bool   // the conversation ended before the answer, or before the file was closed
	Duration time.Duration
	Read     Transfer
	Written  Transfer
	Entries  int64 // of a folder that was listed
}

// Transfer is what went through an open file in one direction.
type Transfer struct {
	Bytes  int64  // that the other side confirmed or sent
	Offset uint64 // of the first one in the file
	// SHA256 is that of all the bytes, in hexadecimal, where they followed one
	// another without gaps or repetition, as scp and sftp transfer a file. It is
	// empty where nothing was transferred or Partial is true.
	SHA256  string
	Partial bool
}
