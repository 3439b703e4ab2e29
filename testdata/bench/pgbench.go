package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pgbenchName is the name of the workload.
func pgbenchName(clients int, protocol string) string {
	return fmt.Sprintf("pgbench c=%d %s", clients, protocol)
}

// pgbenchWorkload is select-only pgbench.
func (b *bench) pgbenchWorkload(clients int, protocol string) workload {
	return workload{pgbenchName(clients, protocol), func(ctx context.Context, t *target, name string) error {
		return b.runPgbench(ctx, t, name, clients, protocol)
	}}
}

// transactions is what each client sends: all together send about the same, so
// that a run is as long with few clients as with many.
func transactions(clients, queries int) int {
	if clients == 1 {
		return queries / 3
	}
	return queries / clients
}

var tpsLine = regexp.MustCompile(`tps = ([0-9.]+) \(without initial connection time\)`)

func (b *bench) runPgbench(ctx context.Context, t *target, name string, clients int, protocol string) error {
	logs := filepath.Join(b.world.dir, "pgbench-log")
	defer removeLogs(logs)
	cmd := exec.CommandContext(ctx, b.world.pgbench, "-S", "-n", "-M", protocol, "-c", strconv.Itoa(clients), "-j", strconv.Itoa(min(clients, 2)),
		"-t", strconv.Itoa(transactions(clients, b.options.queries)), "-l", "--log-prefix", logs, "bench")
	cmd.Env = t.env(b.world)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	m := tpsLine.FindSubmatch(out)
	if m == nil {
		return fmt.Errorf("pgbench printed no tps:\n%s", out)
	}
	tps, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		return err
	}
	p50, n, err := readLogs(logs)
	if err != nil {
		return err
	}
	b.results.add(t.name, name, "tps", tps)
	b.results.add(t.name, name, "p50", p50)
	b.results.add(t.name, name, "queries", n)
	return nil
}

// readLogs gives the median latency in microseconds and the number of
// transactions. A line is: client, number, latency, … (pgbench "Per-Transaction
// Logging").
func readLogs(prefix string) (p50, n float64, err error) {
	paths, err := filepath.Glob(prefix + ".*")
	if err != nil {
		return 0, 0, err
	}
	var all []int
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, 0, err
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		for lines.Scan() {
			f := strings.Fields(lines.Text())
			if len(f) < 3 {
				continue
			}
			us, err := strconv.Atoi(f[2])
			if err != nil {
				return 0, 0, fmt.Errorf("read pgbench's log: %w", err)
			}
			all = append(all, us)
		}
	}
	if len(all) == 0 {
		return 0, 0, errors.New("pgbench logged no transaction")
	}
	slices.Sort(all)
	return float64(all[len(all)/2]), float64(len(all)), nil
}

func removeLogs(prefix string) {
	paths, _ := filepath.Glob(prefix + ".*")
	for _, path := range paths {
		_ = os.Remove(path)
	}
}
