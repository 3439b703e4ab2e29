package sql

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// shared is the analyser of most tests: starting a worker costs 1.6 s of CPU.
var shared *Analyzer

func TestMain(m *testing.M) {
	if IsWorker(os.Args) {
		if err := WorkerMain(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	var err error
	if shared, err = New(Options{Workers: 1}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = shared.Close()
	os.Exit(code)
}

func analyseText(t testing.TB, text string) []Statement {
	t.Helper()
	return shared.Statements(context.Background(), text)
}
