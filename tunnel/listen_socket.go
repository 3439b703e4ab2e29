package tunnel

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"hoop/tunnel/socket"
)

// maxSocketPath is the longest path of a unix socket on every supported system
// (macOS has 104 bytes with the final zero).
const maxSocketPath = 103

// InUseError is a listener that cannot be had because somebody listens there.
type InUseError struct {
	Addr    string
	PID     int    // 0 if unknown
	Program string // "" if unknown
}

func (e *InUseError) Error() string {
	switch {
	case e.PID == 0:
		return fmt.Sprintf("%s is in use by another program", e.Addr)
	case e.Program == "":
		return fmt.Sprintf("%s is in use by process %d", e.Addr, e.PID)
	default:
		return fmt.Sprintf("%s is in use by %s (process %d)", e.Addr, e.Program, e.PID)
	}
}

// ListenUnix listens on a socket of that name in dir, which it makes if it is
// missing. Only the user who listens may connect: dir must be theirs, is set to
// mode 0700 and may not be a symbolic link; the socket gets mode 0600; and the
// kernel is asked for the user behind each conn. A socket file at which nobody
// answers is replaced; an *InUseError means that somebody does. Where the path
// would be too long the socket is put in a short directory instead, named after
// a hash of dir: Addr of the listener tells.
func ListenUnix(dir, name string) (net.Listener, error) {
	if filepath.Base(name) != name || name == "." || name == ".." {
		return nil, fmt.Errorf("socket name %q: must not contain a path", name)
	}
	dir, err := socketDir(dir, name)
	if err != nil {
		return nil, err
	}
	if err := privateDir(dir); err != nil {
		return nil, fmt.Errorf("directory of the socket: %w", err)
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("directory of the socket: %w", err)
	}
	defer unlock()
	path := filepath.Join(dir, name)
	if err := removeStale(path); err != nil {
		return nil, err
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // dir was closed to others before
		_ = ln.Close()
		return nil, fmt.Errorf("protect %s: %w", path, err)
	}
	return &unixListener{UnixListener: ln}, nil
}

func socketDir(dir, name string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("directory of the socket: %w", err)
	}
	if len(filepath.Join(dir, name)) <= maxSocketPath {
		return dir, nil
	}
	sum := sha256.Sum256([]byte(dir))
	for _, base := range []string{os.TempDir(), "/tmp"} {
		short := filepath.Join(base, fmt.Sprintf("hoop-%d-%s", os.Getuid(), hex.EncodeToString(sum[:6])))
		if len(filepath.Join(short, name)) <= maxSocketPath {
			return short, nil
		}
	}
	return "", fmt.Errorf("socket name %q is too long: a path may have %d bytes", name, maxSocketPath)
}

// removeStale removes a socket whose listener is gone.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		defer c.Close()
		e := &InUseError{Addr: path}
		if peer, err := unixPeer(c.(*net.UnixConn)); err == nil && peer.pid > 0 {
			e.PID, e.Program = peer.pid, programOf(peer.pid)
		}
		return e
	} else if !isRefused(err) {
		return fmt.Errorf("ask who listens on %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("replace the unused socket: %w", err)
	}
	return nil
}

// unixPeerInfo is what the kernel says of the other end.
type unixPeerInfo struct{ uid, pid int }

// unixListener accepts conns of its own user only.
type unixListener struct{ *net.UnixListener }

// Accept drops the conns of other users: the mode of the socket keeps them out
// already, so there is nobody to explain it to.
func (l *unixListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if fromOwner(c) {
			return socket.New(c), nil
		}
		_ = c.Close()
	}
}

// mayUse says whether a user may use a listener. Root gets no right from being
// root: its processes act for people who are somebody else.
func mayUse(peer, owner int) bool { return peer >= 0 && peer == owner }
