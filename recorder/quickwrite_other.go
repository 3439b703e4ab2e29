//go:build !(linux && (amd64 || arm64))

package recorder

import "os"

func writeQuick(f *os.File, p []byte, offset int64) (int, error) { return f.WriteAt(p, offset) }
