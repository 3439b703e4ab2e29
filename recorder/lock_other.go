//go:build !unix

package recorder

import (
	"errors"
	"os"
)

// lock refuses: without it two brokers could write one log.
func lock(string) (*os.File, error) {
	return nil, errors.New("lock the log: brokers run on Unix systems only")
}
