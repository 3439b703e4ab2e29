package recorder

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

const (
	// checkpointsFile holds one checkpoint of every thousand events, each
	// followed by an empty line.
	checkpointsFile = "checkpoints"
	// newestFile holds the newest checkpoint, where it is not in the other.
	newestFile = "checkpoint"
)

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

// lastKept reads the last whole checkpoint of the file, nil where there is
// none, and tells where it ends. It reads only the file's end: over the years
// there are many.
func lastKept(f *os.File, origin string) (signed []byte, end int64, err error) {
	const window = 32 << 10
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("read the checkpoints: %w", err)
	}
	from := max(info.Size()-window, 0)
	data := make([]byte, info.Size()-from)
	if _, err := io.ReadFull(io.NewSectionReader(f, from, window), data); err != nil {
		return nil, 0, fmt.Errorf("read the checkpoints: %w", err)
	}
	if from > 0 { // begin with a whole one
		at := bytes.Index(data, []byte("\n\n"+origin+"\n"))
		if at < 0 {
			return nil, 0, errors.New("the checkpoints are not readable")
		}
		data, from = data[at+2:], from+int64(at)+2
	}
	notes, rest := splitCheckpoints(data)
	end = from + int64(len(data)-len(rest))
	if len(notes) > 0 {
		signed = notes[len(notes)-1]
	}
	return signed, end, nil
}

// LastCheckpoint gives the newest signed checkpoint of the log in dir, to be
// kept where the operator of the broker cannot change it.
func LastCheckpoint(dir string) ([]byte, error) {
	key, err := PublicKey(dir)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, checkpointsFile))
	if err != nil {
		return nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	origin, _, _ := strings.Cut(key, "+")
	kept, _, err := lastKept(f, origin)
	if err != nil {
		return nil, err
	}
	signed, cp, err := newer(dir, kept, key)
	if err == nil && cp == nil {
		err = errors.New("the log has no checkpoint yet")
	}
	return signed, err
}

// newer chooses between the last kept checkpoint and the newest file; both
// must be signed. Nil where there is neither.
func newer(dir string, kept []byte, key string) (signed []byte, cp *Checkpoint, err error) {
	newest, err := os.ReadFile(filepath.Join(dir, newestFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read the newest checkpoint: %w", err)
	}
	for _, n := range [][]byte{kept, newest} {
		if len(n) == 0 {
			continue
		}
		c, err := OpenCheckpoint(n, key)
		if err != nil {
			return nil, nil, err
		}
		if cp == nil || c.Size > cp.Size {
			signed, cp = n, c
		}
	}
	return signed, cp, nil
}
