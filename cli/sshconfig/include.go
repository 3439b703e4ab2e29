package sshconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Include puts a line that includes the configuration in dir before everything
// else in the user's ssh_config: after a Host line it would count for those
// hosts alone. It reports whether anything had to change.
func Include(userConfig, dir string) (bool, error) {
	return edit(userConfig, func(text []byte) []byte {
		line := includeLine(dir)
		if bytes.HasPrefix(text, line) {
			return text
		}
		return append(line, without(text, line)...)
	})
}

// Exclude takes that line out again, and nothing else.
func Exclude(userConfig, dir string) (bool, error) {
	return edit(userConfig, func(text []byte) []byte { return without(text, includeLine(dir)) })
}

func includeLine(dir string) []byte { return []byte("Include \"" + Path(dir) + "\"\n") }

// without drops each line that is the given one, however it ends.
func without(text, line []byte) []byte {
	var out []byte
	for l := range bytes.Lines(text) {
		if !bytes.Equal(bytes.TrimSpace(l), bytes.TrimSpace(line)) {
			out = append(out, l...)
		}
	}
	return out
}

// edit changes the file that a path leads to, through symbolic links. It keeps
// its permissions, and writes it whole or not at all. A file that would be left
// empty goes.
func edit(path string, change func([]byte) []byte) (bool, error) {
	path, err := follow(path)
	if err != nil {
		return false, err
	}
	mode := fs.FileMode(0o600)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, fmt.Errorf("read the ssh configuration: %w", err)
	default:
		st, err := os.Stat(path)
		if err != nil {
			return false, fmt.Errorf("read the ssh configuration: %w", err)
		}
		mode = st.Mode().Perm()
	}
	changed := change(bytes.Clone(text))
	if bytes.Equal(changed, text) {
		return false, nil
	}
	if len(changed) == 0 {
		return true, os.Remove(path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("make the folder of the ssh configuration: %w", err)
	}
	return true, swap(path, changed, mode)
}

// maxLinks is how many symbolic links are followed, as the kernel would.
const maxLinks = 40

// follow finds the file behind symbolic links, also one that is not there yet.
func follow(path string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(path)
		if err != nil { // no link, or nothing there
			return path, nil
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", fmt.Errorf("follow %s: too many symbolic links", path)
}
