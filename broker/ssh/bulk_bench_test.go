package ssh

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

const bulkBytes = 96 << 20

// cpu is what this process used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBulk moves bytes through the engine with the real client and server,
// which are processes of their own, and reports what the engine's one uses.
func BenchmarkBulk(b *testing.B) {
	w := newWorld(b)
	config := w.listen()
	for _, c := range []struct {
		name, command string
		up            int64
	}{
		{"down", fmt.Sprintf("head -c %d /dev/zero", bulkBytes), 0},
		{"up", "cat >/dev/null", bulkBytes},
	} {
		b.Run(c.name, func(b *testing.B) {
			least := time.Hour
			b.SetBytes(bulkBytes)
			for b.Loop() {
				before := cpu(b)
				cmd := exec.CommandContext(context.Background(), "ssh", "-F", config, "-c", "aes128-gcm@openssh.com", "web-1.hoop", c.command)
				if c.up > 0 {
					r, pw, err := os.Pipe()
					if err != nil {
						b.Fatal(err)
					}
					cmd.Stdin = r
					feeder := exec.Command("head", "-c", fmt.Sprint(c.up), "/dev/zero")
					feeder.Stdout = pw
					if err := feeder.Start(); err != nil {
						b.Fatal(err)
					}
					pw.Close()
					defer r.Close()
					defer feeder.Wait()
				}
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				least = min(least, cpu(b)-before)
			}
			b.ReportMetric(least.Seconds()/(bulkBytes/1e9), "least-cpu-s/GB")
		})
	}
}
