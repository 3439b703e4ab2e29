//go:build !linux

package cli

// widen does nothing: only Linux has a call for it.
func widen(any) {}
