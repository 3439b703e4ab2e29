package sftp

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync/atomic"
	"time"
)

// handle is a file or folder that the server opened for the client.
type handle struct {
	op      Operation
	access  access
	finish  func(Result)
	started time.Time

	read    sum // the goroutine of replies alone
	written sum // the goroutine of requests alone; confirmed by replies
	entries int64

	confirmed atomic.Int64  // bytes written
	failed    atomic.Uint32 // the first code of a read or write that is an error

	// Under the inspector's lock: requests on it without an answer, and the code
	// of its close once that was answered.
	live   int
	closed bool
	code   uint32
}

// sum is the hash of bytes that follow one another.
type sum struct {
	hash    hash.Hash
	bytes   int64
	first   uint64
	next    uint64
	partial bool
}

func (s *sum) add(offset uint64, data []byte) {
	if len(data) == 0 {
		return
	}
	s.bytes += int64(len(data))
	if s.hash == nil {
		s.hash, s.first, s.next = sha256.New(), offset, offset
	}
	if offset != s.next {
		s.partial = true
	}
	if s.partial {
		return
	}
	s.hash.Write(data)
	s.next += uint64(len(data))
}

func (s *sum) transfer() Transfer {
	t := Transfer{Bytes: s.bytes, Offset: s.first, Partial: s.partial}
	if s.hash != nil && !s.partial {
		t.SHA256 = hex.EncodeToString(s.hash.Sum(nil))
	}
	return t
}

// fail keeps the first error of reads and writes. The end of a file is none.
func (h *handle) fail(code uint32) {
	if code != StatusOK && code != StatusEOF {
		h.failed.CompareAndSwap(0, code)
	}
}

// end tells how the use of a file ended. It is called once, when nothing of the
// file is under way.
func (h *handle) end(code uint32, lost bool) {
	if h.finish == nil {
		return
	}
	if failed := h.failed.Load(); code == StatusOK {
		code = failed
	}
	r := Result{Code: code, Lost: lost, Duration: time.Since(h.started), Entries: h.entries,
		Read: h.read.transfer(), Written: h.written.transfer()}
	if confirmed := h.confirmed.Load(); confirmed != r.Written.Bytes {
		r.Written.Bytes, r.Written.Partial, r.Written.SHA256 = confirmed, true, ""
	}
	h.finish(r)
}
