package login

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/zalando/go-keyring"
)

// keyringService is the name that keyring managers show.
const keyringService = "hoop"

// keyringLimit is how long a keyring may take: some hang until the session
// ends when they cannot show a prompt.
const keyringLimit = 3 * time.Second

// secretService is the part of a keyring that we use.
type secretService interface {
	Get(service, user string) (string, error)
	Set(service, user, password string) error
	Delete(service, user string) error
}

// limited asks a keyring, but not for longer than the limit. After one
// time-out it does not ask again.
type limited struct {
	service secretService
	limit   time.Duration
	max     int // bytes the keyring can hold in an entry, 0 for no limit

	mu   sync.Mutex
	down error // why there is no keyring
}

// systemKeyring is the keyring of the operating system.
func systemKeyring(getenv func(string) string) *limited {
	if err := noSessionBus(runtime.GOOS, getenv); err != nil {
		return &limited{down: err}
	}
	return &limited{service: osKeyring{}, limit: keyringLimit, max: keyringSize(runtime.GOOS)}
}

// keyringSize is the biggest entry. Windows: CRED_MAX_CREDENTIAL_BLOB_SIZE.
// macOS: a command line of 4096 bytes, with the entry in base64 in it.
func keyringSize(goos string) int {
	switch goos {
	case "windows":
		return 2560
	case "darwin":
		return 2800
	default:
		return 0
	}
}

// noSessionBus tells why the Secret Service is not worth asking. Without a bus,
// asking would start one and leave it behind.
func noSessionBus(goos string, getenv func(string) string) error {
	if goos == "darwin" || goos == "windows" || getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return nil
	}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "bus")); err == nil {
			return nil
		}
	}
	return errors.New("no session bus")
}

// osKeyring is zalando/go-keyring.
type osKeyring struct{}

func (osKeyring) Get(service, user string) (string, error) { return keyring.Get(service, user) }
func (osKeyring) Set(service, user, password string) error {
	return keyring.Set(service, user, password)
}
func (osKeyring) Delete(service, user string) error { return keyring.Delete(service, user) }

var errKeyringSilent = errors.New("it did not answer in time")

// ask runs one call. A call that hangs is left behind: there is no way to
// cancel it, and the process is a short one.
func (l *limited) ask(call func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down != nil {
		return l.down
	}
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-time.After(l.limit):
		l.down = errKeyringSilent
		return l.down
	}
}

func (l *limited) get(account string) (string, error) {
	// The result has its own channel: after a time-out nobody reads it.
	got := make(chan string, 1)
	err := l.ask(func() error {
		text, err := l.service.Get(keyringService, account)
		got <- text
		return err
	})
	if err != nil {
		return "", err
	}
	return <-got, nil
}

func (l *limited) set(account, text string) error {
	if l.service != nil && l.max > 0 && len(text) > l.max {
		// An older entry must not come back to life when the file is gone.
		return errors.Join(keyring.ErrSetDataTooBig, l.remove(account))
	}
	return l.ask(func() error { return l.service.Set(keyringService, account, text) })
}

func (l *limited) remove(account string) error {
	err := l.ask(func() error { return l.service.Delete(keyringService, account) })
	if err == nil || errors.Is(err, keyring.ErrNotFound) || l.service == nil {
		return nil
	}
	return fmt.Errorf("remove the sign-in from the OS keyring: %w", err)
}
