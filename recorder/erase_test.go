package recorder

import (
	"bytes"
	"testing"
)

func TestErasedBodyLeavesItsProof(t *testing.T) {
	b := newLab(t, testOrigin)
	last := b.events - 1
	for _, index := range []uint64{0, 7, last} {
		if err := Erase(b.dir, index); err != nil {
			t.Fatal(err)
		}
		if err := Erase(b.dir, index); err != nil {
			t.Errorf("erasing again: %v", err)
		}
	}
	for _, s := range b.segments {
		for _, text := range []string{"select 00", "select 07", "select 29"} {
			if bytes.Contains(b.read(s.path), []byte(text)) {
				t.Errorf("%s still holds %q", s.name, text)
			}
		}
	}
	r, err := Verify(b.dir, VerifyOptions{})
	if err != nil || !r.OK() || r.Erased != 3 || r.Events != b.events {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := Prove(b.dir, 8); err != nil {
		t.Errorf("the event beside an erased one: %v", err)
	}
	if p, err := Prove(b.dir, 7); err == nil {
		t.Errorf("proved the erased event %q", p.Event)
	}
	if got := len(scanAll(t, b.dir)); got != int(b.events)-3 {
		t.Errorf("%d events are read, want %d", got, b.events-3)
	}
	l := openTest(t, b.dir, Options{})
	if err := Erase(b.dir, 1); err == nil {
		t.Error("erased in a log that is open")
	}
	appendN(t, l, "s", 2)
	closeTest(t, l)
	mustVerify(t, b.dir, b.events+2)
	if Erase(b.dir, 99) == nil {
		t.Error("erased an event that does not exist")
	}
}

func TestErasureOfAnotherBodyShows(t *testing.T) {
	b := newLab(t, testOrigin)
	b.edit(1, func(frames [][]byte) [][]byte {
		f := frame{raw: frames[2]}
		f.raw[100] ^= 1 // another body, whose commitment is not the written one
		frames[2] = f.erase()
		return frames
	})
	if r, err := Verify(b.dir, VerifyOptions{}); err != nil || r.OK() {
		t.Errorf("%+v, %v", r, err)
	}
}
