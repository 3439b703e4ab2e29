package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
)

// place is where servers and clients run: on this machine's loopback, or in two
// network namespaces with a delay between them.
type place struct {
	address        net.IP // of the servers, as clients reach them
	server, client string // network namespaces; "" for this one
	delay          bool
	line           *line
}

func here() *place { return &place{address: net.IPv4(127, 0, 0, 1)} }

// at runs a command in a namespace. ip executes it in its own place, so that the
// process is the command's.
func at(namespace string, name string, args ...string) *exec.Cmd {
	if namespace == "" {
		return exec.Command(name, args...)
	}
	return exec.Command("ip", append([]string{"netns", "exec", namespace, name}, args...)...)
}

// makeDistance connects two namespaces by a line that delays what it carries.
// Nothing of it is seen outside, and it goes with close.
func makeDistance(ctx context.Context) (*place, error) {
	id := os.Getpid()
	p := &place{address: net.IPv4(10, 213, 7, 1), server: fmt.Sprintf("bench-server-%d", id), client: fmt.Sprintf("bench-client-%d", id), delay: true}
	far, near := fmt.Sprintf("bf%d", id), fmt.Sprintf("bn%d", id)
	var err error
	if p.line, err = newLine(far, near); err != nil {
		return nil, fmt.Errorf("make a line with a delay (root and /dev/net/tun are needed; -far 0 leaves it out): %w", err)
	}
	var steps []string
	for _, end := range [][3]string{{p.server, far, p.address.String() + "/24"}, {p.client, near, "10.213.7.2/24"}} {
		steps = append(steps, "ip netns add "+end[0], "ip link set "+end[1]+" netns "+end[0], "ip -n "+end[0]+" address add "+end[2]+" dev "+end[1],
			"ip -n "+end[0]+" link set "+end[1]+" txqueuelen 100000", "ip -n "+end[0]+" link set lo up", "ip -n "+end[0]+" link set "+end[1]+" up")
	}
	for _, step := range steps {
		words := strings.Fields(step)
		if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
			return nil, errors.Join(fmt.Errorf("make a network with a delay (root and iproute2 are needed; -far 0 leaves it out): %s: %w: %s", step, err, out), p.close())
		}
	}
	p.line.run()
	return p, nil
}

func (p *place) close() error {
	if p.line != nil {
		p.line.close()
	}
	for _, ns := range []string{p.server, p.client} {
		if ns != "" {
			_ = exec.Command("ip", "netns", "delete", ns).Run() // it may not have been made
		}
	}
	return nil
}
