package cli

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// echoes reports whether a terminal shows what is typed.
func echoes(t testing.TB, f *os.File) bool {
	t.Helper()
	attr, err := unix.IoctlGetTermios(int(f.Fd()), unix.TIOCGETA)
	if err != nil {
		t.Fatal(err)
	}
	return attr.Lflag&unix.ECHO != 0
}
