//go:build !linux

package serve

func residentMemory() (bytesResident int, ok bool) { return 0, false }

func openFiles() (n int, ok bool) { return 0, false }
