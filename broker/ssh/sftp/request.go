package sftp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"hoop/policy"
)

// request is one that needs a decision.
type request struct {
	op       Operation
	also     string // a second verb that has to be allowed as well; "" for none
	expect   expect
	open     access   // what a handle of the answer may be used for
	first    pathArg  // where Path leads
	second   *pathArg // where NewPath leads; nil where there is none
	pathless bool
	// onOpen is true for a request about an open file instead of a path: handle,
	// nil where nobody opened it so that this request is allowed. other is the
	// second one of copy-data.
	onOpen        bool
	handle, other *handle
}

// pathArg is a path and whether the request follows a link that it names.
type pathArg struct {
	raw    string
	follow bool
	text   bool // not a path that the server opens: the target of a link, "~name"
	under  *pathArg
}

// access is what a handle was opened for.
type access uint8

const (
	canRead access = 1 << iota
	canWrite
	canList
)

// The flags of SSH_FXP_OPEN, draft §6.3.
const (
	flagRead = 1 << iota
	flagWrite
	flagAppend
	flagCreate
	flagTruncate
	flagExclusive
	flagsKnown = 1<<iota - 1
)

var errUnknown = errors.New("hoop: this SFTP request is not known")

// decodeRequest understands every request that names a path; handles are those
// that are open. errUnknown means that nobody knows the request.
func decodeRequest(f frame, handles func([]byte) *handle) (*request, error) {
	r := &request{}
	if len(f) > maxDecided {
		return r, fmt.Errorf("it has %d bytes, more than %d", len(f), maxDecided)
	}
	d := &decoder{b: f.body()}
	r.op.Exact = append([]byte{f.kind()}, f.body()...)
	if err := r.decode(f.kind(), d, handles); err != nil {
		return r, err
	}
	if err := d.end(); err != nil {
		return r, err
	}
	return r, r.checkPaths()
}

func (r *request) decode(kind byte, d *decoder, handles func([]byte) *handle) error {
	switch kind {
	case fxpOpen:
		return r.decodeOpen(d)
	case fxpOpendir:
		r.name("opendir", policy.SSHSFTPList, d.bytes(), true)
		r.expect, r.open = expectHandle, canList
	case fxpStat:
		r.name("stat", policy.SSHSFTPStat, d.bytes(), true)
		r.expect = expectAttrs
	case fxpLstat:
		r.name("lstat", policy.SSHSFTPStat, d.bytes(), false)
		r.expect = expectAttrs
	case fxpReadlink:
		r.name("readlink", policy.SSHSFTPStat, d.bytes(), false)
		r.expect = expectName
	case fxpRealpath:
		r.name("realpath", policy.SSHSFTPStat, d.bytes(), true)
		r.first.text = true // the answer itself is where it leads
		r.expect = expectName
	case fxpSetstat:
		r.name("setstat", policy.SSHSFTPSetstat, d.bytes(), true)
		r.op.Detail = attributes(d)
	case fxpFsetstat:
		r.onHandle("fsetstat", policy.SSHSFTPSetstat, handles(d.bytes()))
		r.op.Detail = attributes(d)
	case fxpMkdir:
		r.name("mkdir", policy.SSHSFTPMkdir, d.bytes(), false)
		r.op.Detail = attributes(d)
	case fxpRmdir:
		r.name("rmdir", policy.SSHSFTPRmdir, d.bytes(), false)
	case fxpRemove:
		r.name("remove", policy.SSHSFTPRemove, d.bytes(), false)
	case fxpRename:
		r.name("rename", policy.SSHSFTPRename, d.bytes(), false)
		r.newName(d.bytes(), false)
	case fxpSymlink:
		r.decodeSymlink(d)
	case fxpExtended:
		return r.decodeExtended(string(d.bytes()), d, handles)
	default:
		r.op.Name = fmt.Sprintf("request %d", kind)
		return errUnknown
	}
	return nil
}

func (r *request) name(name, verb string, path []byte, follow bool) {
	r.op.Name, r.op.Verb, r.op.Raw = name, verb, string(path)
	r.first = pathArg{raw: r.op.Raw, follow: follow}
}

func (r *request) newName(path []byte, follow bool) {
	r.op.NewRaw = string(path)
	r.second = &pathArg{raw: r.op.NewRaw, follow: follow}
}

func (r *request) onHandle(name, verb string, h *handle) {
	r.op.Name, r.op.Verb, r.onOpen, r.handle = name, verb, true, h
	if h != nil {
		r.op.Raw, r.op.Path, r.op.Named = h.op.Raw, h.op.Path, h.op.Named
	}
}

// decodeSymlink reads the arguments in the order of OpenSSH's server (PROTOCOL
// §4.1), which clients follow: what the link says, then where it is made. Both
// are decided on, whatever order a server reads them in.
func (r *request) decodeSymlink(d *decoder) {
	says := d.bytes()
	r.name("symlink", policy.SSHSFTPLink, d.bytes(), false)
	r.newName(says, false)
	r.second.text, r.second.under = true, &r.first
}

func (r *request) decodeOpen(d *decoder) error {
	name := d.bytes()
	flags := d.uint32()
	if flags&^flagsKnown != 0 {
		return fmt.Errorf("open flags %#x are not known", flags&^flagsKnown)
	}
	attrs := attributes(d)
	// The system opens for reading where writing is not asked for, whatever else is.
	if flags&flagWrite == 0 || flags&flagRead != 0 {
		r.open |= canRead
	}
	if flags&flagWrite != 0 {
		r.open |= canWrite
	}
	verb := policy.SSHSFTPRead
	if flags&^flagRead != 0 {
		verb = policy.SSHSFTPWrite
		if r.open&canRead != 0 {
			r.also = policy.SSHSFTPRead
		}
	}
	r.name("open", verb, name, true)
	r.expect = expectHandle
	r.op.Detail = strings.TrimSpace(flagNames(flags) + " " + attrs)
	return nil
}

func flagNames(flags uint32) string {
	var out []string
	for i, n := range []string{"read", "write", "append", "create", "truncate", "exclusive"} {
		if flags>>i&1 != 0 {
			out = append(out, n)
		}
	}
	return strings.Join(out, " ")
}

// checkPaths refuses what servers read differently: most are written in C.
func (r *request) checkPaths() error {
	for _, p := range []string{r.op.Raw, r.op.NewRaw} {
		switch {
		case bytes.IndexByte([]byte(p), 0) >= 0:
			return errors.New("a path has a zero byte")
		case len(p) > maxPath:
			return fmt.Errorf("a path has %d bytes, more than %d", len(p), maxPath)
		}
	}
	return nil
}
