package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// oneWay is the delay in each direction.
const oneWay = 40 * time.Millisecond

// line carries packets between two TUN devices, each of them oneWay late. The
// kernel's TCP at both ends sees a network, which netem would make without this
// program, but not every kernel has netem.
type line struct {
	ends  [2]*os.File
	group sync.WaitGroup
}

func newLine(a, b string) (*line, error) {
	l := &line{}
	for i, name := range []string{a, b} {
		var err error
		if l.ends[i], err = openTUN(name); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// openTUN makes a device that gives and takes bare IP packets (Linux,
// Documentation/networking/tuntap.rst §3.2). It goes when its file is closed.
func openTUN(name string) (*os.File, error) {
	const (
		setInterface = 0x400454ca // TUNSETIFF
		tun, bare    = 0x0001, 0x1000
	)
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	var request [40]byte // struct ifreq
	copy(request[:15], name)
	binary.NativeEndian.PutUint16(request[16:], tun|bare)
	if _, _, no := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), setInterface, uintptr(unsafe.Pointer(&request))); no != 0 {
		return nil, errors.Join(fmt.Errorf("make the device %s: %w", name, no), syscall.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

// packet is one on its way.
type packet struct {
	due  time.Time
	data []byte
}

func (l *line) run() {
	for i := range l.ends {
		from, to := l.ends[i], l.ends[1-i]
		way := make(chan packet, 1<<17) // more than the windows of a few conns
		l.group.Go(func() {
			defer close(way)
			buf := make([]byte, 64<<10)
			for {
				n, err := from.Read(buf)
				if err != nil {
					return
				}
				way <- packet{time.Now().Add(oneWay), append([]byte(nil), buf[:n]...)}
			}
		})
		l.group.Go(func() {
			for p := range way {
				time.Sleep(time.Until(p.due))
				_, _ = to.Write(p.data) // what an end does not take is lost, as on any line
			}
		})
	}
}

func (l *line) close() {
	for _, f := range l.ends {
		if f != nil {
			_ = f.Close()
		}
	}
	l.group.Wait()
}
