package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// sshYardstick is the way that ratios are against: what people have today.
const sshYardstick = "direct"

func (b *sshBench) page(machine string) string {
	var p strings.Builder
	fmt.Fprintf(&p, "# Benchmarks of SSH\n\nMade by `make sshbench` on %s, %d rounds. Do not edit: run it again.\n\n", time.Now().UTC().Format("2 January 2006"), b.rounds)
	p.WriteString(machine)
	p.WriteString(sshMethod)
	b.speedTable(&p, "", fmt.Sprintf("## %d MiB over loopback, MB/s\n\nIn brackets: ratio to direct with OpenSSH's default cipher; higher is better.\n\n", b.options.mib))
	p.WriteString("## Processor seconds per GB\n\nThe median of the rounds, and the least in brackets: what else runs on the machine only adds. `ssh` includes scp; `helper` is `hoop ssh-proxy`.\n\n")
	for _, work := range sshWorks() {
		b.costTable(&p, work.name)
	}
	if b.options.far > 0 {
		b.speedTable(&p, " far", fmt.Sprintf("## %d MiB with 80 ms between client and server, MB/s\n\nThe kernel's TCP in two network namespaces, and between them a process that carries each packet 40 ms late. In brackets: ratio to direct.\n\n", b.options.far))
	}
	b.loginTable(&p)
	return p.String()
}

const sshMethod = `
## What is measured

Everything runs on this one machine, so clients, servers and what lies between share its processors: **compare ratios.** All
ways are up at the same time and are measured in turn, in an order drawn anew for each column of each round.

| way | client to it | it to sshd |
|---|---|---|
| direct | OpenSSH's default cipher (chacha20-poly1305), or aes128-gcm | – |
| plain x/crypto relay | SSH, aes128-gcm | SSH, aes128-gcm; a goroutine with io.Copy each way, nothing looked at, nothing written down |
| hoop | SSH in TLS 1.3 through ` + "`hoop ssh-proxy`" + ` | SSH, aes128-gcm; policy, audit and recording on, SFTP inspected with SHA-256 |

What is transferred are random bytes from the page cache: ` + "`cat`" + ` is ` + "`ssh host cat file`" + ` and its reverse, ` + "`scp`" + ` is that of OpenSSH, which
speaks SFTP. Processor time is the kernel's account of each process (` + "`wait4`" + `, ` + "`/proc`" + `), whole commands included: keys are agreed on in it too.

`

func (b *sshBench) table(p *strings.Builder, head []string, cell func(y *way, column string) string) {
	fmt.Fprintf(p, "| way | %s |\n|---|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, y := range b.titles {
		fmt.Fprintf(p, "| %s |", y.title)
		for _, h := range head {
			fmt.Fprintf(p, " %s |", cell(y, h))
		}
		p.WriteByte('\n')
	}
	p.WriteByte('\n')
}

func (b *sshBench) speedTable(p *strings.Builder, suffix, head string) {
	p.WriteString(head)
	var columns []string
	for _, work := range sshWorks() {
		columns = append(columns, work.name)
	}
	b.table(p, columns, func(y *way, column string) string { return b.ratio(y.name, column+suffix, "mbs", "%.0f") })
}

func (b *sshBench) ratio(way, work, metric, format string) string {
	v, ok := b.results.median(way, work, metric)
	if !ok {
		return "–"
	}
	text := fmt.Sprintf(format, v)
	if base, ok := b.results.median(sshYardstick, work, metric); ok && base > 0 {
		text += fmt.Sprintf(" (%.2f)", v/base)
	}
	return text
}

func (b *sshBench) costTable(p *strings.Builder, work string) {
	fmt.Fprintf(p, "### %s\n\n", work)
	b.table(p, []string{"ssh", "helper", "broker", "sshd"}, func(y *way, metric string) string {
		if v, ok := b.results.median(y.name, work, metric); ok && v > 0 {
			return fmt.Sprintf("%.2f (%.2f)", v, slices.Min(b.results[key{y.name, work, metric}]))
		}
		return "–"
	})
}

func (b *sshBench) loginTable(p *strings.Builder) {
	p.WriteString("## ssh host true, ms\n\nFrom the start of ssh to its end, with a new connection each time; the median. In brackets: ratio to direct.\n\n")
	columns := map[string]string{"over loopback": "true", "with 80 ms": "true far"}
	head := []string{"over loopback"}
	if b.options.far > 0 {
		head = append(head, "with 80 ms")
	}
	b.table(p, head, func(y *way, column string) string { return b.ratio(y.name, columns[column], "ms", "%.0f") })
}

// describeSSH says what the numbers were made on.
func describeSSH(ctx context.Context, hoop string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "Machine: %d × %s, %s, Linux %s.\n", runtime.NumCPU(), cpuModel(), memory(), output(ctx, "uname", "-r"))
	openssh, _ := exec.CommandContext(ctx, "ssh", "-V").CombinedOutput()
	for _, v := range []string{strings.TrimSpace(string(openssh)), runtime.Version(), firstLine(output(ctx, hoop, "version"))} {
		fmt.Fprintf(&s, "- %s\n", v)
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(&s, "\nLoad average at the end: %s (the bench itself included).\n", strings.Join(strings.Fields(string(load))[:3], ", "))
	}
	return s.String()
}
