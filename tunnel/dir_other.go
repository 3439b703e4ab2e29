//go:build !unix

package tunnel

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// privateDir makes dir. Its access control list is inherited from the user's
// profile, which is closed to other users.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory, or a symbolic link to one", dir)
	}
	return nil
}

func lockDir(string) (unlock func(), err error) { return func() {}, nil }

// isRefused: Windows answers with WSAECONNREFUSED.
func isRefused(err error) bool { return errors.Is(err, syscall.Errno(10061)) }

// unixPeer is not to be had here.
func unixPeer(*net.UnixConn) (unixPeerInfo, error) {
	return unixPeerInfo{}, errors.ErrUnsupported
}

// fromOwner: the directory's access control list is what keeps others out.
func fromOwner(*net.UnixConn) bool { return true }

// isReset: WSAECONNABORTED and WSAECONNRESET.
func isReset(err error) bool {
	return errors.Is(err, syscall.Errno(10053)) || errors.Is(err, syscall.Errno(10054))
}
