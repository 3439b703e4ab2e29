package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
)

// scalarOnly turns the vector build off, as on a processor that lacks it.
const scalarOnly = "GODEBUG=cpu.avx2=off"

func main() {
	out := flag.String("out", "benchmarks-mask.md", "the file to write")
	scalar := flag.Bool("scalar", false, "measure our detectors alone and print the result as JSON")
	flag.Parse()
	if err := run(*out, *scalar); err != nil {
		fmt.Fprintln(os.Stderr, "maskbench:", err)
		os.Exit(1)
	}
}

func run(out string, scalar bool) error {
	if scalar {
		r, err := measure([]plan{{"hoop, 9 classes, scalar", 0, nil}})
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	r, err := measure([]plan{
		{"hoop, 9 classes, vector", 0, nil},
		{"hoop, 9 classes + 10 of an operator, vector", 10, nil},
		{"hoop, 9 classes + 100 of an operator, vector", 100, nil},
		{"Go regexp, 4 classes", 0, standard},
		{"RE2 (go-re2, wazero), 4 classes", 0, wasm},
	})
	if err != nil {
		return err
	}
	s, err := withoutVectors()
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(page(append(s, r...))), 0o644)
}

// withoutVectors measures the scalar build in a second process.
func withoutVectors() ([]result, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-scalar")
	cmd.Env = append(os.Environ(), scalarOnly)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("measure the scalar build: %w", err)
	}
	var r []result
	return r, json.Unmarshal(text, &r)
}

// plan is one row to measure: ours with some rules, or a peer.
type plan struct {
	name  string
	rules int
	peer  func() find
}

// result is one row measured.
type result struct {
	Name       string
	Rates      []float64 // of each sample, in MB/s
	CellNS     float64   // one of words
	DigitsNS   float64   // one of digits
	CellAllocs float64
}

const rounds = 11

// Cells of 16 bytes that hold nothing.
const (
	cleanWords  = "customer pickup!"
	cleanDigits = "1716800000123456"
)

// measure visits every row in each round, so that a noisy moment hits all.
func measure(plans []plan) ([]result, error) {
	samples := data()
	finds := make([]find, len(plans))
	rates := make([][][]float64, len(plans))
	for i, p := range plans {
		var err error
		if p.peer != nil {
			finds[i] = p.peer()
		} else if finds[i], err = ours(p.rules); err != nil {
			return nil, err
		}
		rates[i] = make([][]float64, len(samples))
	}
	for range rounds {
		for k, s := range samples {
			for i, f := range finds {
				rates[i][k] = append(rates[i][k], rate(s.text, f))
			}
		}
	}
	out := make([]result, len(plans))
	for i, p := range plans {
		out[i].Name = p.name
		for k := range samples {
			out[i].Rates = append(out[i].Rates, median(rates[i][k]))
		}
		var allocs float64
		out[i].CellNS, allocs = cell([]byte(cleanWords), finds[i])
		out[i].DigitsNS, out[i].CellAllocs = cell([]byte(cleanDigits), finds[i])
		out[i].CellAllocs = max(out[i].CellAllocs, allocs)
	}
	return out, nil
}
