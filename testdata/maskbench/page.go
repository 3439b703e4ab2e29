package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// page writes the results as Markdown.
func page(rows []result) string {
	var p strings.Builder
	fmt.Fprintf(&p, "# Benchmarks: detectors\n\nMade by `make maskbench` on %s, %d rounds. Do not edit: run it again.\n\n",
		time.Now().UTC().Format("2 January 2006"), rounds)
	fmt.Fprintf(&p, "%s, %s/%s, %s\n\n", processor(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	p.WriteString(method)
	p.WriteString("| MB a second of processor time | rows | term | k8s | cell of words, ns | of digits, ns | allocations |\n|---|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range rows {
		fmt.Fprintf(&p, "| %s |", r.Name)
		for _, rate := range r.Rates {
			fmt.Fprintf(&p, " %s |", figure(rate))
		}
		fmt.Fprintf(&p, " %.0f | %.0f | %.0f |\n", r.CellNS, r.DigitsNS, r.CellAllocs)
	}
	return p.String()
}

const method = "" +
	"Each engine finds all that it looks for in 1 MiB of made-up data, 32 KiB at a time: customer rows of which one in ten holds a\n" +
	"sensitive value (rows), a terminal with colours and logs (term), a list of pods in JSON (k8s). hoop finds nine classes and\n" +
	"checks each value (check digits, ranges, the words around it). The peers run four patterns, one after the other, and check\n" +
	"nothing. The rules of an operator are patterns such as `(?i)\\bbadgeb[-_ :#]{0,3}[A-Z0-9]{6,10}\\b`. The scalar row is the same\n" +
	"program in a second process with `" + scalarOnly + "`; vector needs AVX2. All are measured in turn in every round; a figure is the median of the\n" +
	"rounds. Time is processor time (getrusage), since others use the machine too; of a shared processor compare ratios, not\n" +
	"absolute numbers. The cells are values of 16 bytes that hold nothing, scanned alone.\n\n"

func figure(rate float64) string {
	if rate < 10 {
		return fmt.Sprintf("%.1f", rate)
	}
	return fmt.Sprintf("%.0f", rate)
}

// processor names the model where the system tells it, and how many there are.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // elsewhere there is none
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return fmt.Sprintf("%d × %s", runtime.NumCPU(), strings.TrimSpace(value))
		}
	}
	return fmt.Sprintf("%d processors", runtime.NumCPU())
}
