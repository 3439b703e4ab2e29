//go:build !linux

package recorder

import "os"

// datasync waits for the file to reach the disk.
func datasync(f *os.File) error { return f.Sync() }
