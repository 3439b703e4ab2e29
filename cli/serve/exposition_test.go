package serve

import (
	"bufio"
	"regexp"
	"strings"
	"testing"
	"time"
)

// sampleLine is a sample of the text format 0.0.4, with or without labels.
var sampleLine = regexp.MustCompile(`^([a-z_]+)(\{[a-z]+="[^"\\]*"\})? (-?[0-9]+(\.[0-9]+)?)$`)

// TestExpositionIsTheTextFormat: three lines a metric, HELP and TYPE of the
// same name before the one sample, no name twice, and the last line ends too.
func TestExpositionIsTheTextFormat(t *testing.T) {
	var e exposition
	e.counter("hoop_stream_bytes_sent_total", "Bytes sent to clients.", 3e15)
	e.gauge("hoop_audit_healthy", "1 while the audit log accepts events; at 0 everything is denied.", 0)
	e.runtime()
	e.process(time.UnixMilli(1700000000250))
	text := e.String()
	for _, want := range []string{"\n# TYPE hoop_audit_healthy gauge\nhoop_audit_healthy 0\n",
		"# TYPE hoop_stream_bytes_sent_total counter\nhoop_stream_bytes_sent_total 3000000000000000\n",
		"\nprocess_start_time_seconds 1700000000.25\n", "\nprocess_cpu_seconds_total ", "\ngo_info{"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if !strings.HasSuffix(text, "\n") {
		t.Error("the last line does not end")
	}
	seen := map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		help := strings.Fields(lines.Text())
		lines.Scan()
		kind := strings.Fields(lines.Text())
		lines.Scan()
		sample := sampleLine.FindStringSubmatch(lines.Text())
		if len(help) < 4 || help[1] != "HELP" || len(kind) != 4 || kind[1] != "TYPE" || sample == nil ||
			help[2] != kind[2] || kind[2] != sample[1] || seen[sample[1]] {
			t.Fatalf("not a metric: %v, %v, %q", help, kind, lines.Text())
		}
		seen[sample[1]] = true
	}
}
