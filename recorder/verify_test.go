package recorder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lab is a closed log of three segments that a test may damage.
type lab struct {
	t        testing.TB
	dir      string
	segments []segmentFile
	events   uint64
}

func newLab(t testing.TB, origin string) *lab {
	t.Helper()
	b := &lab{t: t, dir: t.TempDir(), events: 30}
	l, err := Open(b.dir, Options{Origin: origin, SegmentBytes: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	l.signing.Lock()
	l.writing.Lock()
	l.every = 10
	l.writing.Unlock()
	l.signing.Unlock()
	for i := range b.events {
		ev := sample()
		ev.Action = i + 1
		ev.Text = fmt.Sprintf("select %02d", i)
		if err := l.Append(ev, Written); err != nil {
			t.Fatal(err)
		}
		if i == 9 || i == 19 || i == 24 {
			if err := l.checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if b.segments, err = listSegments(b.dir); err != nil || len(b.segments) < 3 {
		t.Fatalf("%d segments, %v", len(b.segments), err)
	}
	return b
}

// edit gives the frames of a segment, each its own copy, and writes back what
// fn makes of them.
func (b *lab) edit(segment int, fn func(frames [][]byte) [][]byte) {
	b.t.Helper()
	s := b.segments[segment]
	whole, err := os.ReadFile(s.path)
	if err != nil {
		b.t.Fatal(err)
	}
	data, base, _, err := s.read(0)
	if err != nil {
		b.t.Fatal(err)
	}
	var frames [][]byte
	if _, err := walk(s.name, data, base, func(f *frame) error {
		frames = append(frames, bytes.Clone(f.raw))
		return nil
	}); err != nil {
		b.t.Fatal(err)
	}
	b.write(s.path, append(whole[:base:base], bytes.Join(fn(frames), nil)...))
}

func (b *lab) write(path string, data []byte) {
	b.t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *lab) read(path string) []byte {
	b.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

// renumber gives a frame another index, with a right checksum.
func renumber(raw []byte, index uint64) []byte {
	_, rest, _ := bytes.Cut(raw[frameHeader:], []byte(","))
	out := append(raw[:frameHeader:frameHeader], fmt.Sprintf("%s%d,%s", indexKey, index, rest)...)
	seal(out)
	return out
}

func TestVerifyNamesWhatWasDone(t *testing.T) {
	first := func(b *lab, segment int) uint64 { return b.segments[segment].first }
	cases := []struct {
		name   string
		tamper func(b *lab)
		// what the first problem must say, in which segment and at which event
		says    string
		segment int
		event   func(b *lab) uint64
	}{
		{"flip a byte", func(b *lab) {
			b.edit(1, func(f [][]byte) [][]byte { f[2][100] ^= 1; return f })
		}, "wrong checksum", 1, func(b *lab) uint64 { return first(b, 1) + 2 }},
		{"edit and fix the checksum", func(b *lab) {
			b.edit(1, func(f [][]byte) [][]byte {
				f[2] = bytes.Replace(f[2], []byte("select"), []byte("delete"), 1)
				seal(f[2])
				return f
			})
		}, "is not what was written", 1, func(b *lab) uint64 { return first(b, 1) + 2 }},
		{"edit, fix the checksum and remove the stored hashes", func(b *lab) {
			b.edit(0, func(f [][]byte) [][]byte {
				f[2] = bytes.Replace(f[2], []byte("select"), []byte("delete"), 1)
				seal(f[2])
				return f
			})
			if err := os.Remove(filepath.Join(b.dir, "hashes")); err != nil {
				t.Fatal(err)
			}
		}, "of the events 0 to 9 at least one is not what was signed", -1, func(*lab) uint64 { return 0 }},
		{"reorder", func(b *lab) {
			b.edit(1, func(f [][]byte) [][]byte { f[1], f[2] = f[2], f[1]; return f })
		}, "is due here", 1, func(b *lab) uint64 { return first(b, 1) + 1 }},
		{"reorder and renumber", func(b *lab) {
			b.edit(1, func(f [][]byte) [][]byte {
				at := first(b, 1)
				f[1], f[2] = renumber(f[2], at+1), renumber(f[1], at+2)
				return f
			})
		}, "is not what was written", 1, func(b *lab) uint64 { return first(b, 1) + 1 }},
		{"drop an event", func(b *lab) {
			b.edit(1, func(f [][]byte) [][]byte { return slices.Delete(f, 3, 4) })
		}, "is due here", 1, func(b *lab) uint64 { return first(b, 1) + 3 }},
		{"drop a segment", func(b *lab) {
			if err := os.Remove(b.segments[1].path); err != nil {
				t.Fatal(err)
			}
		}, "is due", 2, func(b *lab) uint64 { return first(b, 1) }},
		{"drop the last events and their checkpoint", func(b *lab) {
			b.edit(len(b.segments)-1, func(f [][]byte) [][]byte { return f[:len(f)-2] })
			notes, _ := splitCheckpoints(b.read(filepath.Join(b.dir, checkpointsFile)))
			b.write(filepath.Join(b.dir, checkpointsFile), append(bytes.Join(notes[:2], []byte("\n")), '\n'))
			if len(notes) < 3 {
				t.Fatal("no third checkpoint to drop")
			}
		}, "", 0, nil},
		{"truncate below a checkpoint", func(b *lab) {
			b.edit(len(b.segments)-1, func(f [][]byte) [][]byte { return f[:len(f)-2] })
		}, "the log ends with 28 events, and 30 were signed", -1, func(*lab) uint64 { return 28 }},
		{"splice in a segment of another log", func(b *lab) {
			other := newLab(b.t, "other.example/log")
			b.write(b.segments[1].path, other.read(other.segments[1].path))
		}, "belongs to the log", 1, func(b *lab) uint64 { return first(b, 1) }},
		{"splice in a segment of a log with the same name", func(b *lab) {
			other := newLab(b.t, testOrigin)
			b.write(b.segments[1].path, other.read(other.segments[1].path))
		}, "is not what was written", 1, func(b *lab) uint64 { return first(b, 1) }},
		{"swap in the checkpoints of another key", func(b *lab) {
			other := newLab(b.t, testOrigin)
			b.write(filepath.Join(b.dir, checkpointsFile), other.read(filepath.Join(other.dir, checkpointsFile)))
		}, "check a checkpoint's signature", -1, nil},
		{"edit the newest checkpoint", func(b *lab) {
			path := filepath.Join(b.dir, newestFile)
			b.write(path, bytes.Replace(b.read(path), []byte("\n25\n"), []byte("\n24\n"), 1))
		}, "check a checkpoint's signature", -1, nil},
		{"edit a checkpoint", func(b *lab) {
			path := filepath.Join(b.dir, checkpointsFile)
			b.write(path, bytes.Replace(b.read(path), []byte("\n10\n"), []byte("\n11\n"), 1))
		}, "check a checkpoint's signature", -1, nil},
		{"data after the end", func(b *lab) {
			path := b.segments[1].path
			b.write(path, append(b.read(path), 0, 0, 0, 0, 1, 2, 3))
		}, "data after it", 1, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newLab(t, testOrigin)
			kept, err := LastCheckpoint(b.dir)
			if err != nil {
				t.Fatal(err)
			}
			mustVerify(t, b.dir, b.events)
			c.tamper(b)
			r, err := Verify(b.dir, VerifyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if c.says == "" { // shows only against the checkpoint kept elsewhere
				if !r.OK() {
					t.Fatalf("problems without the kept checkpoint: %v", r.Problems)
				}
				if r, err = Verify(b.dir, VerifyOptions{Checkpoint: kept}); err != nil {
					t.Fatal(err)
				}
				c.says, c.segment = "30 were signed", -1
			}
			if r.OK() {
				t.Fatal("nothing noticed")
			}
			p := r.Problems[0]
			if !strings.Contains(p.What, c.says) {
				t.Errorf("it says %q, not %q", p, c.says)
			}
			if c.segment >= 0 && p.Segment != b.segments[c.segment].name {
				t.Errorf("it says %s, not segment %d", p, c.segment)
			}
			if c.event != nil && p.Index != c.event(b) {
				t.Errorf("it says %s, not event %d", p, c.event(b))
			}
		})
	}
}

func TestOpenRefusesWhatWasSignedOtherwise(t *testing.T) {
	for name, tamper := range map[string]func(b *lab){
		"damage before the tail": func(b *lab) {
			b.edit(len(b.segments)-1, func(f [][]byte) [][]byte { f[0][50] ^= 1; return f })
		},
		"a broken length before the tail": func(b *lab) {
			b.edit(len(b.segments)-1, func(f [][]byte) [][]byte { f[0][2] = 0xff; return f })
		},
		"an edited event": func(b *lab) {
			b.edit(len(b.segments)-1, func(f [][]byte) [][]byte {
				f[0] = bytes.Replace(f[0], []byte("select"), []byte("delete"), 1)
				seal(f[0])
				return f
			})
		},
		"an edited event in a sealed segment, without the stored hashes": func(b *lab) {
			b.edit(0, func(f [][]byte) [][]byte {
				f[0] = bytes.Replace(f[0], []byte("select"), []byte("delete"), 1)
				seal(f[0])
				return f
			})
			if err := os.Remove(filepath.Join(b.dir, "hashes")); err != nil {
				t.Fatal(err)
			}
		},
		"a cut below a checkpoint": func(b *lab) {
			b.edit(len(b.segments)-1, func(f [][]byte) [][]byte { return f[:len(f)-1] })
		},
		"a torn frame below a checkpoint": func(b *lab) {
			path := b.segments[len(b.segments)-1].path
			data := b.read(path)
			b.write(path, data[:len(data)-10])
		},
		"no segments": func(b *lab) {
			for _, s := range b.segments {
				if err := os.Remove(s.path); err != nil {
					t.Fatal(err)
				}
			}
		},
		"a missing segment, without the stored hashes": func(b *lab) {
			if err := errors.Join(os.Remove(b.segments[1].path), os.Remove(filepath.Join(b.dir, "hashes"))); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newLab(t, testOrigin)
			tamper(b)
			l, err := Open(b.dir, Options{})
			if err == nil {
				t.Fatal("opened", l.Close())
			}
			t.Log(err)
		})
	}
}

func TestStoredHashesAreRebuilt(t *testing.T) {
	for name, damage := range map[string]func(data []byte) []byte{
		"removed": func([]byte) []byte { return nil },
		"short":   func(data []byte) []byte { return data[:len(data)/2-7] },
		"zeros":   func(data []byte) []byte { return make([]byte, len(data)) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newLab(t, testOrigin)
			path := filepath.Join(b.dir, "hashes")
			want := b.read(path)
			b.write(path, damage(bytes.Clone(want)))
			closeTest(t, openTest(t, b.dir, Options{}))
			if !bytes.Equal(b.read(path), want) {
				t.Error("the rebuilt hashes differ")
			}
		})
	}
}

// TestTornTailIsCut cuts and garbles the last frame, which nothing has signed,
// from its first byte to its last.
func TestTornTailIsCut(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	l.signing.Lock() // no checkpoint covers these
	appendN(t, l, "s", 3)
	path := filepath.Join(dir, segmentName(0))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := int(l.seg.pos)
	l.signing.Unlock()
	closeTest(t, l)
	start := bytes.LastIndex(data[:end], []byte(indexKey)) - frameHeader
	for at := start; at < end; at += 5 { // every open syncs several times
		torn := map[string][]byte{
			"cut":     data[:at],
			"zeroed":  append(data[:at:at], make([]byte, 4096)...),
			"flipped": slices.Concat(data[:at], []byte{data[at] ^ 0x10}, data[at+1:end]),
		}
		for how, tail := range torn {
			back := t.TempDir()
			for _, name := range []string{signingKeyFile, publicKeyFile} {
				key, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(back, name), key, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(back, segmentName(0)), tail, 0o600); err != nil {
				t.Fatal(err)
			}
			again, err := Open(back, Options{})
			if err != nil {
				t.Fatalf("%s at byte %d of the frame: %v", how, at-start, err)
			}
			appendN(t, again, "s", 1)
			closeTest(t, again)
			mustVerify(t, back, 3)
		}
	}
}

func TestProofIsCheckedWithoutTheLog(t *testing.T) {
	b := newLab(t, testOrigin)
	key, err := PublicKey(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	for index := range b.events {
		p, err := Prove(b.dir, index)
		if err != nil {
			t.Fatal(err)
		}
		file, err := json.MarshalIndent(p, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		var back Proof
		if err := json.Unmarshal(file, &back); err != nil {
			t.Fatal(err)
		}
		ev, err := CheckProof(&back, key)
		if err != nil || ev.Action != index+1 {
			t.Fatalf("event %d: %v, %v", index, ev, err)
		}
		for what, change := range map[string]func(*Proof){
			"text":  func(p *Proof) { p.Event = strings.Replace(p.Event, "select", "delete", 1) },
			"index": func(p *Proof) { p.Index = (p.Index + 1) % b.events },
			"salt":  func(p *Proof) { p.Salt = make([]byte, saltSize) },
			"path":  func(p *Proof) { p.Path = p.Path[1:] },
		} {
			bad := back
			bad.Path = slices.Clone(back.Path)
			change(&bad)
			if _, err := CheckProof(&bad, key); err == nil {
				t.Errorf("event %d: a proof with another %s holds", index, what)
			}
		}
	}
	if _, err := Prove(b.dir, b.events); err == nil {
		t.Error("proved an event that does not exist")
	}
}

// FuzzVerify changes bytes of a segment anywhere: verify must notice.
func FuzzVerify(f *testing.F) {
	f.Add(uint16(3), byte(1), byte(0))
	f.Add(uint16(5000), byte(0x80), byte(1))
	f.Add(uint16(60000), byte(0xff), byte(2))
	b := newLab(f, testOrigin)
	originals := make([][]byte, len(b.segments))
	for i, s := range b.segments {
		originals[i] = b.read(s.path)
	}
	f.Fuzz(func(t *testing.T, at uint16, xor, segment byte) {
		if xor == 0 {
			return
		}
		i := int(segment) % len(originals)
		data := bytes.Clone(originals[i])
		data[int(at)%len(data)] ^= xor
		werr := os.WriteFile(b.segments[i].path, data, 0o600)
		r, err := Verify(b.dir, VerifyOptions{})
		if err = errors.Join(werr, err, os.WriteFile(b.segments[i].path, originals[i], 0o600)); err != nil {
			t.Fatal(err)
		}
		if r.OK() {
			t.Fatalf("byte %d of segment %d changed by %#x, and nothing noticed", int(at)%len(data), i, xor)
		}
	})
}

// FuzzFrame holds the frame reader to its promise on any bytes: what it takes
// is exactly one frame, which stands unchanged when it is sealed again.
func FuzzFrame(f *testing.F) {
	raw := append(make([]byte, frameHeader), `{"index":0,"time":"2026-01-01T00:00:00Z","type":"x"}`...)
	seal(raw)
	f.Add(raw)
	f.Add(raw[:len(raw)-1])
	f.Add([]byte{0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseFrame(data)
		if errors.Is(err, errEnd) && len(bytes.Trim(data, "\x00")) > 0 {
			t.Fatal("the end, and data after it")
		}
		if err != nil || got.erased {
			return
		}
		again := bytes.Clone(data[:len(got.raw)])
		seal(again)
		if !bytes.Equal(again, data[:len(got.raw)]) {
			t.Fatal("a frame that was not sealed so")
		}
	})
}
