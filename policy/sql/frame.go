package sql

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"hoop/policy"
)

// Between broker and worker run frames: four bytes of length, big-endian, then
// the payload. The broker sends text, the worker answers with a reply as JSON.

// maxReply bounds what the broker takes from a worker, in bytes.
const maxReply = 32 << 20

// reply is a worker's answer to one text.
type reply struct {
	Statements []replyStatement `json:"statements,omitempty"`
	// Error is the grammar's message, Position its place in characters from 1.
	Error    string `json:"error,omitempty"`
	Position int    `json:"position,omitempty"`
	// Refused says why the worker would not answer.
	Refused string `json:"refused,omitempty"`
	// Retiring is set by a worker that ends after this answer.
	Retiring bool `json:"retiring,omitempty"`
}

// replyStatement is one statement of the text: it ends before byte End and
// begins where the one before ended.
type replyStatement struct {
	End         int         `json:"end"`
	Facts       *policy.SQL `json:"facts"`
	Copy        *CopyFacts  `json:"copy,omitempty"`
	Prepared    *policy.SQL `json:"prepared,omitempty"`
	Name        string      `json:"name,omitempty"`
	LiteralFree bool        `json:"literal_free,omitempty"`
}

func writeFrame(w io.Writer, payload []byte) error {
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(payload)), uint32(len(payload)))
	_, err := w.Write(append(frame, payload...))
	return err
}

func readFrame(r io.Reader, most int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n > int64(most) {
		return nil, fmt.Errorf("a frame of %d bytes is too long", n)
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(r, payload)
	return payload, err
}

// decodeReply reads a reply to a text. The worker has met hostile bytes, so
// nothing of the answer is believed that cannot be checked.
func decodeReply(payload []byte, text string) (*reply, error) {
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	var r reply
	if err := dec.Decode(&r); err != nil {
		return nil, fmt.Errorf("decode the worker's reply: %w", err)
	}
	if dec.More() {
		return nil, errors.New("the worker's reply goes on after its end")
	}
	last := 0
	for i := range r.Statements {
		s := &r.Statements[i]
		if s.End <= last || s.End > len(text) || s.End < len(text) && !utf8.RuneStart(text[s.End]) {
			return nil, errors.New("the worker's reply cuts the text in the wrong places")
		}
		last = s.End
		if !believable(s.Facts) || s.Prepared != nil && !believable(s.Prepared) {
			return nil, errors.New("the worker's reply has facts that cannot be")
		}
	}
	if len(r.Statements) > 0 && last != len(text) {
		return nil, errors.New("the worker's reply leaves out a part of the text")
	}
	return &r, nil
}

func believable(f *policy.SQL) bool {
	if f == nil || !policy.KnownSQLKind(f.Kind) || len(f.Effects) == 0 && !f.Unknown {
		return false
	}
	for _, e := range f.Effects {
		if !policy.KnownSQLEffect(e) {
			return false
		}
	}
	return true
}
