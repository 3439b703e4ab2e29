package cli

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestStartIsCheap adds up what package initialisers of the real binary cost.
// Wall time is no matter of a test; the sum has a wide margin (it is under 4 ms
// on a laptop), and the allocations, which do not depend on the machine, a
// narrow one: a library that compiles tables at start does not get past them.
func TestStartIsCheap(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(t.TempDir(), "hoop")
	build := exec.CommandContext(background(t), "go", "build", "-o", bin, "../cmd/hoop")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	best, fewest := 1e9, 1<<40
	for range 5 {
		c := exec.CommandContext(background(t), bin, "version")
		c.Env = []string{"GODEBUG=inittrace=1"}
		var trace strings.Builder
		c.Stderr = &trace
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		sum, allocated := 0.0, 0
		for _, m := range regexp.MustCompile(`(?m)^init \S+ @.*, ([\d.]+) ms clock, (\d+) bytes`).FindAllStringSubmatch(trace.String(), -1) {
			ms, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			n, err := strconv.Atoi(m[2])
			if err != nil {
				t.Fatal(err)
			}
			sum, allocated = sum+ms, allocated+n
		}
		best, fewest = min(best, sum), min(fewest, allocated)
	}
	if fewest == 0 || best > 50 || fewest > 3<<20 {
		t.Errorf("initialisers take %.1f ms and %d bytes, want at most 50 ms and 3 MiB", best, fewest)
	}
}
