package login

import (
	"io"

	"github.com/pkg/browser"
)

// canOpenBrowser tells whether a browser that we start would appear before the
// person: not over ssh, and on Linux only with a display (or from WSL).
func canOpenBrowser(goos string, getenv func(string) string) bool {
	for _, remote := range []string{"SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"} {
		if getenv(remote) != "" {
			return false
		}
	}
	switch goos {
	case "darwin", "windows":
		return true
	default:
		return getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != "" || getenv("WSL_DISTRO_NAME") != ""
	}
}

// openBrowser starts the system's browser and keeps what it prints off the
// terminal. It returns when the program it started does.
func openBrowser(url string) error {
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	return browser.OpenURL(url)
}
