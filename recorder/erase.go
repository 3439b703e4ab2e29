package recorder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// Erase removes the body of one event for good, as privacy law may ask, and
// leaves its commitment: the log still verifies and every other event can
// still be proved. No broker may have the log open. That something was erased
// shows, and who asked for it is for the caller to record.
func Erase(dir string, index uint64) (err error) {
	held, err := lock(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	segments, err := listSegments(dir)
	if err != nil {
		return err
	}
	for i, s := range segments {
		if s.first > index || i+1 < len(segments) && segments[i+1].first <= index {
			continue
		}
		if err := s.erase(index); err != nil {
			return fmt.Errorf("erase event %d: %w", index, err)
		}
		if err := os.Remove(foldPath(s)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the session index: %w", err)
		}
		return nil
	}
	return fmt.Errorf("erase event %d: it is not in the log", index)
}

func (s segmentFile) erase(index uint64) error {
	data, base, _, err := s.read(0)
	if err != nil {
		return err
	}
	var found *frame
	at := s.first
	_, err = walk(s.name, data, base, func(f *frame) error {
		if at == index {
			found = f
			return ErrStop
		}
		at++
		return nil
	})
	switch {
	case err == nil:
		return errors.New("it is not in the log")
	case !errors.Is(err, ErrStop):
		return err
	case found.erased:
		return nil
	}
	raw := found.erase()
	d, err := openDisk(s.path, os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = d.WriteAt(raw, found.offset)
	if err == nil {
		err = d.Datasync()
	}
	return errors.Join(err, d.Close())
}

// erase gives the frame as long as before, with the commitment for its body
// and without the salt, which would help to guess it.
func (f *frame) erase() []byte {
	commitment := f.commitment()
	raw := make([]byte, len(f.raw))
	copy(raw[frameHeader:], commitment[:])
	binary.LittleEndian.PutUint32(raw, uint32(len(raw)-frameHeader)|erasedBit)
	binary.LittleEndian.PutUint32(raw[4:], checksum(raw))
	return raw
}
