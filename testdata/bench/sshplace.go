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

// oneWay is the delay in each direction.
const oneWay = "40ms"

// makeDistance connects two namespaces by a pair of interfaces that delay what
// leaves them. Nothing of it is seen outside, and it goes with close.
func makeDistance(ctx context.Context) (*place, error) {
	id := os.Getpid()
	p := &place{address: net.IPv4(10, 213, 7, 1), server: fmt.Sprintf("bench-server-%d", id), client: fmt.Sprintf("bench-client-%d", id), delay: true}
	steps := []string{
		"ip netns add " + p.server,
		"ip netns add " + p.client,
		"ip -n " + p.server + " link add name far type veth peer name near netns " + p.client,
		"ip -n " + p.server + " address add " + p.address.String() + "/24 dev far",
		"ip -n " + p.client + " address add 10.213.7.2/24 dev near",
		"ip -n " + p.server + " link set lo up",
		"ip -n " + p.client + " link set lo up",
		"ip -n " + p.server + " link set far up",
		"ip -n " + p.client + " link set near up",
		"tc -n " + p.server + " qdisc add dev far root netem limit 200000 delay " + oneWay,
		"tc -n " + p.client + " qdisc add dev near root netem limit 200000 delay " + oneWay,
	}
	for _, step := range steps {
		words := strings.Fields(step)
		if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
			return nil, errors.Join(fmt.Errorf("make a network with a delay (root and iproute2 are needed; -far 0 leaves it out): %s: %w: %s", step, err, out), p.close())
		}
	}
	return p, nil
}

func (p *place) close() error {
	for _, ns := range []string{p.server, p.client} {
		if ns != "" {
			_ = exec.Command("ip", "netns", "delete", ns).Run() // it may not have been made
		}
	}
	return nil
}
