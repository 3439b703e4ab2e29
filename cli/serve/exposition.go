package serve

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strconv"
	"time"
)

// exposition builds one scrape in the Prometheus text format 0.0.4. Values are
// read when they are asked for, so that counting costs a statement nothing.
type exposition struct{ bytes.Buffer }

// expositionType is the content type of the text format 0.0.4.
const expositionType = "text/plain; version=0.0.4; charset=utf-8"

func (e *exposition) gauge(name, help string, value float64) { e.sample("gauge", name, help, value) }
func (e *exposition) counter(name, help string, value float64) {
	e.sample("counter", name, help, value)
}

// sample writes a metric of one sample. help is one line without a backslash.
func (e *exposition) sample(kind, name, help string, value float64) {
	fmt.Fprintf(e, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", name, help, name, kind, name, strconv.FormatFloat(value, 'f', -1, 64))
}

// runtime adds what Prometheus' own Go client reports of a program, under the
// same names, so that ready-made dashboards show it.
func (e *exposition) runtime() {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(s)
	fmt.Fprintf(e, "# HELP go_info The Go that this was built with.\n# TYPE go_info gauge\ngo_info{version=%q} 1\n", runtime.Version())
	e.gauge("go_goroutines", "Goroutines that exist now.", float64(runtime.NumGoroutine()))
	e.gauge("go_memstats_heap_alloc_bytes", "Bytes of heap objects in use.", float64(s[0].Value.Uint64()))
	e.gauge("go_memstats_sys_bytes", "Bytes that the Go runtime has from the system.", float64(s[1].Value.Uint64()))
}

// process adds what the system says of this process; nothing where it says
// nothing.
func (e *exposition) process(started time.Time) {
	e.gauge("process_start_time_seconds", "When the broker started, in seconds since 1970.", float64(started.UnixMilli())/1000)
	if cpu, ok := cpuTime(); ok {
		e.counter("process_cpu_seconds_total", "Processor time used, in seconds.", cpu.Seconds())
	}
	if resident, ok := residentMemory(); ok {
		e.gauge("process_resident_memory_bytes", "Bytes of memory that are resident.", float64(resident))
	}
	if open, ok := openFiles(); ok {
		e.gauge("process_open_fds", "File descriptors that are open.", float64(open))
	}
}

// serveMetrics answers one scrape.
func (i *Instance) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	var e exposition
	i.measure(&e)
	e.runtime()
	e.process(i.started)
	w.Header().Set("Content-Type", expositionType)
	_, _ = w.Write(e.Bytes())
}
