package sql

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"
)

// shared gives the analyser of most tests: starting a worker costs 1.6 s of CPU.
var shared = sync.OnceValue(func() *Analyzer {
	a, err := New(Options{Workers: 1, Timeout: time.Minute}) // the machine may be busy
	if err != nil {
		panic(err)
	}
	return a
})

func TestMain(m *testing.M) {
	if IsWorker(os.Args) {
		if err := WorkerMain(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run()) // the worker ends with its input
}

func analyseText(t testing.TB, text string) []Statement {
	t.Helper()
	return shared().Statements(context.Background(), text)
}
