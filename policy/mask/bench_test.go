package mask

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"hoop/policy"
)

// The three kinds of data that a broker carries, made by lot: customer rows of
// which one in ten holds a sensitive value, a terminal with colours and logs,
// and a list of pods in JSON.

const benchSize = 1 << 20

func benchRows(size int) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	names := []string{"Mira Holt", "Jon Akande", "Sofia Brandt", "Lee Castellano", "Ada Wu"}
	var b strings.Builder
	for n := 1; b.Len() < size; n++ {
		contact := ""
		switch r.IntN(30) {
		case 0:
			contact = fmt.Sprintf("user%d@example.com", r.IntN(1e6))
		case 1:
			contact = fmt.Sprintf("+1212555%04d", r.IntN(1e4))
		case 2:
			contact = fmt.Sprintf("%03d-%02d-%04d", 100+r.IntN(500), 10+r.IntN(80), 1000+r.IntN(8000))
		}
		fmt.Fprintf(&b, "%d\t%s\t%s\t%08x-%04x-4%03x-8%03x-%012x\t2024-%02d-%02d %02d:%02d:%02d.%06d\t%d.%02d\tactive\t%d Station Road, Springfield\t%s\n",
			n, names[r.IntN(len(names))], contact, r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Uint64()>>16,
			1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1e6), r.IntN(5000), r.IntN(100), r.IntN(900),
			[]string{"customer asked for the newsletter", "gift wrap, leave at the door", "\\N"}[r.IntN(3)])
	}
	return []byte(b.String()[:size])
}

func benchTerm(size int) []byte {
	r := rand.New(rand.NewPCG(2, 2))
	var b strings.Builder
	for b.Len() < size {
		switch r.IntN(12) {
		case 0:
			fmt.Fprintf(&b, "\x1b[01;34mdeploy@web-%02d\x1b[00m:\x1b[01;32m~/app\x1b[00m$ git log --oneline\r\n", r.IntN(40))
		case 1:
			fmt.Fprintf(&b, "Author: Mira Holt <mira.holt%d@example.org>\r\n", r.IntN(100))
		case 2:
			fmt.Fprintf(&b, "DB_PASSWORD=hunter%d\r\n", r.IntN(1e6))
		case 3, 4:
			fmt.Fprintf(&b, "drwxr-xr-x  %d root root %6d Mar %2d %02d:%02d \x1b[01;34mnode_modules\x1b[0m\r\n", r.IntN(9), r.IntN(1e5), 1+r.IntN(28), r.IntN(24), r.IntN(60))
		default:
			fmt.Fprintf(&b, "2024-%02d-%02dT%02d:%02d:%02dZ INFO request id=%016x status=200 path=/api/v1/orders/%d took=%dms ip=10.%d.%d.%d\r\n",
				1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.Uint64(), r.IntN(1e6), r.IntN(400), r.IntN(256), r.IntN(256), r.IntN(256))
		}
	}
	return []byte(b.String()[:size])
}

func benchPods(size int) []byte {
	r := rand.New(rand.NewPCG(3, 3))
	var b strings.Builder
	for b.Len() < size {
		fmt.Fprintf(&b, `{"metadata":{"name":"api-%09x-%05x","namespace":"default","uid":"%08x-%04x-4%03x-8%03x-%012x","resourceVersion":"%d","creationTimestamp":"2024-%02d-%02dT%02d:%02d:%02dZ","labels":{"app":"api","pod-template-hash":"%09x"}},"spec":{"containers":[{"name":"api","image":"registry.example.com/api@sha256:%064x","env":[{"name":"PORT","value":"8080"},{"name":"LOG_LEVEL","value":"info"}],"volumeMounts":[{"name":"kube-api-access-%05x","mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","readOnly":true}]}],"serviceAccountName":"default","terminationGracePeriodSeconds":30},"status":{"phase":"Running","podIP":"10.%d.%d.%d","startTime":"2024-%02d-%02dT%02d:%02d:%02dZ"}},`,
			r.IntN(1<<30), r.IntN(1<<20), r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Uint64()>>16, r.IntN(1e8),
			1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1<<30), r.Uint64(), r.IntN(1<<20),
			r.IntN(256), r.IntN(256), r.IntN(256), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60))
		if r.IntN(10) == 0 {
			fmt.Fprintf(&b, `{"name":"DATABASE_URL","value":"postgres://app:pw%dx@db/app"},`, r.IntN(1e6))
		}
	}
	return []byte(b.String()[:size])
}

func benchData(size int) map[string][]byte {
	return map[string][]byte{"rows": benchRows(size), "term": benchTerm(size), "k8s": benchPods(size)}
}

const benchChunk = 32 << 10

func BenchmarkFind(b *testing.B) {
	data := benchData(benchSize)
	builds := map[string]bool{"vector": false, "scalar": true}
	for _, build := range []string{"vector", "scalar"} {
		d := allDetectors(b, policy.MaskSpec{Method: "redact"})
		d.scalar = builds[build]
		for _, kind := range []string{"rows", "term", "k8s"} {
			b.Run(build+"/"+kind, func(b *testing.B) {
				cpuRate(b, benchSize, func() {
					for at := 0; at < benchSize; at += benchChunk {
						d.find(data[kind][at:at+benchChunk], Context{})
					}
				})
			})
		}
	}
}

// BenchmarkCustom is everything built in and some rules of an operator.
func BenchmarkCustom(b *testing.B) {
	data := benchData(benchSize)
	for _, n := range []int{10, 100} {
		r, err := CompileRules(manyRules(n))
		if err != nil {
			b.Fatal(err)
		}
		d, err := r.NewDetectors([]string{"*"}, func(string) (*Method, error) { return &Method{}, nil })
		if err != nil {
			b.Fatal(err)
		}
		for _, kind := range []string{"rows", "term", "k8s"} {
			b.Run(fmt.Sprintf("%d/%s", n, kind), func(b *testing.B) {
				cpuRate(b, benchSize, func() {
					for at := 0; at < benchSize; at += benchChunk {
						d.find(data[kind][at:at+benchChunk], Context{})
					}
				})
			})
		}
	}
}

func BenchmarkCompileRules(b *testing.B) {
	for b.Loop() {
		if _, err := CompileRules(manyRules(100)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRegexp is the same task for four of the classes, as most tools do it.
func BenchmarkRegexp(b *testing.B) {
	data := benchData(benchSize / 8)
	rules := []*regexp.Regexp{
		regexp.MustCompile(`\b(?:\d[ -]?){12,18}\d\b`),
		regexp.MustCompile(`\b\d{3}[- ]\d{2}[- ]\d{4}\b`),
		regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`),
		regexp.MustCompile(`(?:\+?1[-. ]?)?\(?\d{3}\)?[-. ]?\d{3}[-. ]?\d{4}`),
	}
	for _, kind := range []string{"rows", "term", "k8s"} {
		b.Run(kind, func(b *testing.B) {
			cpuRate(b, benchSize/8, func() {
				for at := 0; at < len(data[kind]); at += benchChunk {
					for _, re := range rules {
						re.FindAllIndex(data[kind][at:at+benchChunk], -1)
					}
				}
			})
		})
	}
}

func BenchmarkCleanCell(b *testing.B) {
	for _, build := range []string{"vector", "scalar"} {
		d := allDetectors(b, policy.MaskSpec{Method: "redact"})
		d.scalar = build == "scalar"
		for _, text := range cleanCells() {
			b.Run(build+"/"+text, func(b *testing.B) {
				b.ReportAllocs()
				cell := []byte(text)
				before, n := cpuTime(), 0
				for b.Loop() {
					d.MaskText(nil, cell, Context{Name: "note"}, nil)
					n++
				}
				b.ReportMetric(float64(cpuTime()-before)/float64(n), "cpu-ns/op")
			})
		}
	}
}

// cleanCells are values of 16 bytes such as tables hold, of every kind that
// makes a verifier look closer, with nothing to find in any.
func cleanCells() []string {
	return []string{
		"customer pickup!", "12 Station Road.", "f47ac10b-58cc-43", "2024-05-31 12:00", "2024-05-31T10:22",
		"1234567890123456", "4012888888881882", "4012 8888 8888 1", "1716800000123456", "2125550142 ext 1", "612-555-014 wide",
		"1048576.00000000", "10.20.30.40/24 x", "-71.05890,42.360", "DE89370400440533", "GB29 NWBK 6016 1", "root@db.internal",
		"1 2 3 4 5 6 7 8 ", "token expired at", "session is 4 min", "deadbeef01234567", "SKU-4410-2291-77",
	}
}

// cpuRate reports megabytes per second of CPU, which a busy machine does not
// change as much as the clock.
func cpuRate(b *testing.B, size int, f func()) {
	before, n := cpuTime(), 0
	for b.Loop() {
		f()
		n++
	}
	b.SetBytes(int64(size))
	b.ReportMetric(float64(n)*float64(size)/1e6/(cpuTime()-before).Seconds(), "cpuMB/s")
}

// cpuTime is what the process has spent.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for itself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
