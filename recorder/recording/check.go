package recording

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Claim is what an audit log says of a recording's file.
type Claim struct {
	Chunks []Chunk
	// Bytes and SHA256 are of the whole file, once the recording ended; else
	// SHA256 is empty.
	Bytes  int64
	SHA256 string
}

func (c *Claim) end() int64 {
	if len(c.Chunks) == 0 {
		return 0
	}
	last := c.Chunks[len(c.Chunks)-1]
	return last.Offset + last.Length
}

// Check reads a recording's file and tells where it is not what was written.
// ErrNotFound where it is gone.
func Check(path string, c Claim) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("check the recording: %w", err)
	}
	defer func() { _ = f.Close() }()
	whole := sha256.New()
	in := io.TeeReader(f, whole)
	at := int64(0)
	for _, chunk := range c.Chunks {
		if chunk.Offset != at {
			return fmt.Errorf("the log skips from byte %d to %d", at, chunk.Offset)
		}
		part := sha256.New()
		n, err := io.CopyN(part, in, chunk.Length)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("check the recording: %w", err)
		}
		if n < chunk.Length || hex.EncodeToString(part.Sum(nil)) != chunk.SHA256 {
			return fmt.Errorf("bytes %d to %d are not what was written", at, at+chunk.Length)
		}
		at += n
	}
	if c.SHA256 == "" {
		return nil
	}
	rest, err := io.Copy(io.Discard, in)
	if err != nil {
		return fmt.Errorf("check the recording: %w", err)
	}
	if at+rest != c.Bytes || hex.EncodeToString(whole.Sum(nil)) != c.SHA256 {
		return fmt.Errorf("what follows byte %d is not what was written", at)
	}
	return nil
}
