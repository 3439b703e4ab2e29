package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// yardstick is the target that the ratios are against: what many have in place.
const yardstick = "pgbouncer"

// page writes the results as Markdown.
func (b *bench) page(_ context.Context, machine string) string {
	var p strings.Builder
	fmt.Fprintf(&p, "# Benchmarks\n\nMade by `make bench` on %s, %d rounds. Do not edit: run it again.\n\n", time.Now().UTC().Format("2 January 2006"), b.rounds)
	p.WriteString(machine)
	p.WriteString(method)
	b.latencyTable(&p)
	b.throughputTable(&p)
	b.costTable(&p)
	b.bulkTable(&p)
	b.sessionTable(&p)
	return p.String()
}

const method = `
## What is measured

Everything runs on this one machine over loopback, so clients, server and what lies between share its processors: **compare
ratios, not absolute numbers.** All targets run at the same time and are measured in turn: in every round each workload visits
all targets in an order drawn anew, and a table shows the median of the rounds. PostgreSQL answers from memory (fsync off,
TLS on, SCRAM), so that nothing but the way there and back differs.

| target | client to it | it to PostgreSQL |
|---|---|---|
| direct TCP, direct TLS | – | plain, TLS |
| PgBouncer | TLS | TLS, certificate verified; session pooling |
| HAProxy | plain | plain; mode tcp |
| plain Go TLS relay | plain to a local process, TLS 1.3 to a second one | TLS, certificate verified; io.Copy |
| hoop | plain to ` + "`hoop connect --listen`" + `, TLS 1.3 to ` + "`hoop broker run`" + ` | TLS, certificate verified |

hoop has everything on: six rules, one of them with a condition, labels on four columns (three masks that keep the length, one
that changes it), all built-in detectors on every other text value (one row in fifty has something to find), an audit event
for every statement before it is forwarded. The bench checks that values do come masked. The table that is read whole has nine
columns, about 350 bytes a row; a raw client reads frame headers only. Starting up is left out: each target answers a few
hundred queries first, and what its processes then still do is waited for.

Processor time is that of all processes between client and server with their children (utime + stime of /proc), and is the
least disturbed by noise. Memory is the growth of resident memory by idle sessions that have each asked one question, read five
seconds later. Not measured: networks with real delays (the extra hop counts less there), approvals, ` + "`durability: strict`" + `, writes.
What the parts cost by themselves: [detectors](benchmarks-mask.md), [SQL](benchmarks-sql.md), [approvals](approvals.md). The other protocol: [SSH](benchmarks-ssh.md).

`

// table writes one table; a cell is made by f, and the second number in it is
// the ratio to the yardstick.
func (b *bench) table(p *strings.Builder, title, note string, columns []string, f func(t *target, column int) string) {
	fmt.Fprintf(p, "## %s\n\n%s\n\n| target | %s |\n|---|%s\n", title, note, strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, t := range b.world.targets {
		cells := make([]string, len(columns))
		for i := range columns {
			cells[i] = f(t, i)
		}
		fmt.Fprintf(p, "| %s | %s |\n", t.title, strings.Join(cells, " | "))
	}
	p.WriteByte('\n')
}

// cell is a number and its ratio to the yardstick.
func (b *bench) cell(t *target, workload, metric, format string) string {
	v, ok := b.results.median(t.name, workload, metric)
	if !ok {
		return "–"
	}
	text := fmt.Sprintf(format, v)
	if base, ok := b.results.median(yardstick, workload, metric); ok && base > 0 {
		text += fmt.Sprintf(" (%.2f)", v/base)
	}
	return text
}

// grid is the columns of the pgbench tables.
func grid() (names, workloads []string) {
	for _, c := range clientCounts {
		for _, protocol := range protocols {
			names = append(names, fmt.Sprintf("c=%d %s", c, protocol))
			workloads = append(workloads, pgbenchName(c, protocol))
		}
	}
	return names, workloads
}

func (b *bench) latencyTable(p *strings.Builder) {
	names, work := grid()
	b.table(p, "Latency: pgbench -S, p50 in µs", "In brackets: ratio to PgBouncer; lower is better.", names[:3],
		func(t *target, i int) string { return b.cell(t, work[i], "p50", "%.0f") })
}

func (b *bench) throughputTable(p *strings.Builder) {
	names, work := grid()
	b.table(p, "Throughput: pgbench -S, transactions per second", "In brackets: ratio to PgBouncer; higher is better.", names,
		func(t *target, i int) string { return b.cell(t, work[i], "tps", "%.0f") })
}

func (b *bench) costTable(p *strings.Builder) {
	names, work := grid()
	for _, w := range work {
		for _, t := range b.world.targets {
			b.perQuery(t.name, w)
		}
	}
	b.table(p, "Processor seconds per 100,000 queries", "Of all processes between client and server. In brackets: ratio to PgBouncer.", names,
		func(t *target, i int) string {
			if len(t.between) == 0 {
				return "–"
			}
			return b.cell(t, work[i], "cpu100k", "%.1f")
		})
}

// perQuery divides the processor time of each round by its queries.
func (b *bench) perQuery(target, workload string) {
	queries := b.results[key{target, workload, "queries"}]
	for i, cpu := range b.results[key{target, workload, "cpu"}] {
		b.results.add(target, workload, "cpu100k", cpu/queries[i]*100_000)
	}
}

func (b *bench) bulkTable(p *strings.Builder) {
	columns := []string{"SELECT * MB/s", "between, CPU-s", "client, CPU-s", "COPY MB/s", "between, CPU-s", "client, CPU-s"}
	metrics := []string{"mbs", "cpu", "client"}
	b.table(p, fmt.Sprintf("One result of %d rows", b.options.rows), "In brackets: ratio to PgBouncer.", columns,
		func(t *target, i int) string {
			if metrics[i%3] == "cpu" && len(t.between) == 0 {
				return "–"
			}
			return b.cell(t, []string{"select", "copy"}[i/3], metrics[i%3], []string{"%.0f", "%.2f", "%.2f"}[i%3])
		})
}

func (b *bench) sessionTable(p *strings.Builder) {
	columns := []string{"connect, query, close: p50 ms", "KiB per idle session, all processes", "of that the broker", "broker in all, MiB"}
	b.table(p, fmt.Sprintf("Sessions (idle: %d at once)", b.options.idle), "In brackets: ratio to PgBouncer.", columns,
		func(t *target, i int) string {
			if i == 0 {
				return b.cell(t, "connect", "p50", "%.1f")
			}
			return b.cell(t, "idle", []string{"kib", "broker", "rss"}[i-1], "%.0f")
		})
}

// describe says what the numbers were made on.
func describe(ctx context.Context, w *world) string {
	var s strings.Builder
	fmt.Fprintf(&s, "Machine: %d × %s, %s, Linux %s.\n", runtime.NumCPU(), cpuModel(), memory(), output(ctx, "uname", "-r"))
	bin, _ := postgresBin()
	for _, v := range []string{
		output(ctx, filepath.Join(bin, "postgres"), "--version"), firstLine(output(ctx, program("pgbouncer"), "--version")),
		firstLine(output(ctx, program("haproxy"), "-v")), runtime.Version(), firstLine(output(ctx, w.options.hoop, "version")),
	} {
		fmt.Fprintf(&s, "- %s\n", v)
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(&s, "\nLoad average at the end: %s (the bench itself included).\n", strings.Join(strings.Fields(string(load))[:3], ", "))
	}
	return s.String()
}

func program(name string) string {
	path, err := findProgram(name)
	if err != nil {
		return name
	}
	return path
}

func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return filepath.Base(name) + ": not there"
	}
	return strings.TrimSpace(string(out))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// field finds "name : value" in a file of /proc.
func field(path, name string) string {
	text, _ := os.ReadFile(path)
	for _, line := range strings.Split(string(text), "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

func cpuModel() string { return field("/proc/cpuinfo", "model name") }

func memory() string { return field("/proc/meminfo", "MemTotal") + " of memory" }
