package recorder

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is the signed head of the log at one size: the statement that
// these first Size events, and no others, were written. It is the C2SP
// tlog-checkpoint format.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   tlog.Hash
}

// text is C2SP tlog-checkpoint "Note text": origin, size, root, one a line.
func (c *Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// sign makes the note that others can check.
func (c *Checkpoint) sign(signer note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.text()}, signer)
}

// OpenCheckpoint checks a signed checkpoint against a verifier key and reads
// it. Lines after the third are extensions, which it ignores as C2SP asks.
func OpenCheckpoint(signed []byte, key string) (*Checkpoint, error) {
	v, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return nil, fmt.Errorf("read the log's public key: %w", err)
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return nil, fmt.Errorf("check a checkpoint's signature: %w", err)
	}
	lines := strings.SplitN(n.Text, "\n", 4)
	if len(lines) < 4 {
		return nil, errors.New("a checkpoint has fewer than three lines")
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return nil, fmt.Errorf("a checkpoint has the size %q", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return nil, fmt.Errorf("read a checkpoint's root: %w", err)
	}
	if lines[0] != v.Name() {
		return nil, fmt.Errorf("a checkpoint is of %q, the key of %q", lines[0], v.Name())
	}
	return &Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// checkpointsFile holds every checkpoint, each followed by an empty line.
const checkpointsFile = "checkpoints"

// splitCheckpoints cuts the file into notes. A note is text, empty line,
// signatures, empty line; rest is what a crash left of a last one.
func splitCheckpoints(data []byte) (notes [][]byte, rest []byte) {
	for len(data) > 0 {
		text := bytes.Index(data, []byte("\n\n"))
		if text < 0 {
			break
		}
		sigs := bytes.Index(data[text+2:], []byte("\n\n"))
		if sigs < 0 {
			break
		}
		end := text + 2 + sigs + 2
		notes = append(notes, data[:end-1])
		data = data[end:]
	}
	return notes, data
}

// LastCheckpoint gives the newest signed checkpoint of a log, to be kept where
// the operator of the broker cannot change it.
func LastCheckpoint(dir string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(dir, checkpointsFile))
	if err != nil {
		return nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	notes, _ := splitCheckpoints(data)
	if len(notes) == 0 {
		return nil, errors.New("the log has no checkpoint yet")
	}
	return notes[len(notes)-1], nil
}
