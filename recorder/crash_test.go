package recorder

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childEnv names what a copy of the test binary does instead of testing.
const childEnv = "HOOP_RECORDER_TEST_CHILD"

func TestMain(m *testing.M) {
	job, dir, _ := strings.Cut(os.Getenv(childEnv), ":")
	var err error
	switch job {
	case "":
		os.Exit(m.Run())
	case "write":
		err = writeForEver(dir)
	case "full":
		err = fillTheDisk(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(job, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+job+":"+dir)
	return cmd
}

// writeForEver says on stdout the index of every event that was acknowledged.
func writeForEver(dir string) error {
	l, err := Open(dir, Options{Origin: testOrigin, SegmentBytes: 256 << 10})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				ev := sample()
				if err := l.Append(ev, Durability((i+w)%2)); err != nil {
					return
				}
				var said [8]byte
				binary.LittleEndian.PutUint64(said[:], ev.Index)
				if _, err := os.Stdout.Write(said[:]); err != nil {
					return
				}
				_ = l.Later(&Event{Type: ActionFinished, Action: uint64(i)})
			}
		})
	}
	wg.Wait()
	return nil
}

func TestKillLosesNoAcknowledgedEvent(t *testing.T) {
	dir := t.TempDir()
	acked := uint64(0)
	events := uint64(0)
	for round := range 30 {
		cmd := child("write", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := killSoon(t, cmd, out)
		last := uint64(0)
		for _, index := range said {
			last = max(last, index+1)
		}
		l := openTest(t, dir, Options{})
		if l.Len() < last || l.Len() < events {
			t.Fatalf("round %d: %d events acknowledged, %d are there", round, last, l.Len())
		}
		events = l.Len()
		acked += uint64(len(said))
		closeTest(t, l)
	}
	mustVerify(t, dir, events)
	if acked < 1000 {
		t.Errorf("only %d events acknowledged in all: the test tests little", acked)
	}
	t.Logf("%d acknowledged, %d in the log", acked, events)
}

// killSoon lets the child write for a random while and collects what it said.
func killSoon(t *testing.T, cmd *exec.Cmd, out io.Reader) []uint64 {
	t.Helper()
	in := bufio.NewReader(out)
	var said []uint64
	var killer *time.Timer
	for {
		var b [8]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			break
		}
		if killer == nil {
			wait := time.Duration(rand.IntN(25_000)) * time.Microsecond
			killer = time.AfterFunc(wait, func() { _ = cmd.Process.Kill() })
		}
		said = append(said, binary.LittleEndian.Uint64(b[:]))
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the writer was not killed: %v", err)
	}
	return said
}

// fillTheDisk limits the size of files, which fails as a full disk does, then
// lifts the limit.
func fillTheDisk(dir string) error {
	signal.Ignore(unix.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 700 << 10, Max: 1 << 40}); err != nil {
		return err
	}
	l, err := Open(dir, Options{Origin: testOrigin})
	if err != nil {
		return err
	}
	accepted := uint64(0)
	for err = nil; err == nil && accepted < 1e5; accepted++ {
		err = l.Append(sample(), Written)
	}
	accepted--
	if !isFull(err) || !isFull(l.Health()) {
		return fmt.Errorf("after %d events: Append says %v, Health %v", accepted, err, l.Health())
	}
	if err := l.Later(&Event{Type: SessionClosed, Session: "s"}); err != nil {
		return fmt.Errorf("the end of a session found no room: %w", err)
	}
	accepted++
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 40, Max: 1 << 40}); err != nil {
		return err
	}
	for l.Health() != nil {
		time.Sleep(10 * time.Millisecond)
	}
	if err := l.Append(sample(), Synced); err != nil {
		return fmt.Errorf("after there was room again: %w", err)
	}
	if got := l.Len(); got != accepted+1 {
		return fmt.Errorf("%d events in the log, %d accepted", got, accepted+1)
	}
	return l.Close()
}

func TestFullDiskRefusesThenGoesOn(t *testing.T) {
	dir := t.TempDir()
	var stderr bytes.Buffer
	cmd := child("full", dir)
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	events := scanAll(t, dir)
	mustVerify(t, dir, uint64(len(events)))
	if n := len(events); n < 100 || events[n-2].Type != SessionClosed {
		t.Errorf("%d events, the last but one %s", n, events[n-2].Type)
	}
}

// failing is a disk that fails from some call on.
type failing struct {
	disk
	writes, syncs int // calls that still succeed; negative: all
	short         bool
}

func (f *failing) WriteAt(p []byte, off int64) (int, error) {
	if f.writes == 0 {
		if f.short {
			n, _ := f.disk.WriteAt(p[:len(p)/2], off)
			return n, unix.EIO
		}
		return 0, unix.EIO
	}
	f.writes--
	return f.disk.WriteAt(p, off)
}

func (f *failing) Datasync() error {
	if f.syncs == 0 {
		return unix.EIO
	}
	f.syncs--
	return f.disk.Datasync()
}

func TestAfterOneFailureEverythingIsRefused(t *testing.T) {
	for name, f := range map[string]failing{
		"write":       {writes: 10, syncs: -1},
		"short write": {writes: 10, syncs: -1, short: true},
		"sync":        {writes: -1, syncs: 8},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l, err := openLog(dir, Options{Origin: testOrigin}, func(path string, flag int) (disk, error) {
				d, err := openDisk(path, flag)
				broken := f
				broken.disk = d
				return &broken, err
			})
			if err != nil {
				t.Fatal(err)
			}
			acked := 0
			for err == nil && acked < 100 {
				if err = l.Append(sample(), Synced); err == nil {
					acked++
				}
			}
			if !errors.Is(err, unix.EIO) || !errors.Is(l.Health(), unix.EIO) {
				t.Fatalf("after %d events: Append %v, Health %v", acked, err, l.Health())
			}
			for range 3 {
				if again := l.Append(sample(), Written); again == nil || again.Error() != l.Health().Error() {
					t.Errorf("a later Append: %v", again)
				}
				if l.Later(sample()) == nil {
					t.Error("a later Later was taken")
				}
			}
			if l.Close() == nil {
				t.Error("Close hides the failure")
			}
			back := openTest(t, dir, Options{})
			if got := back.Len(); got < uint64(acked) || got > uint64(acked)+1 {
				t.Errorf("%d events acknowledged, %d found", acked, got)
			}
		})
	}
}
