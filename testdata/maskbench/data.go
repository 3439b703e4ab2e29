package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// The three kinds of data that a broker carries, made by lot: customer rows of
// which one in ten holds a sensitive value, a terminal with colours and logs,
// and a list of pods in JSON.

func data() []sample {
	return []sample{{"rows", fill(1, row)}, {"term", fill(2, line)}, {"k8s", fill(3, pod)}}
}

type sample struct {
	name string
	text []byte
}

const size = 1 << 20 // bytes

func fill(seed uint64, next func(*strings.Builder, *rand.Rand, int)) []byte {
	r := rand.New(rand.NewPCG(seed, seed))
	var b strings.Builder
	for n := 1; b.Len() < size; n++ {
		next(&b, r, n)
	}
	return []byte(b.String()[:size])
}

func row(b *strings.Builder, r *rand.Rand, n int) {
	contact := ""
	switch r.IntN(30) {
	case 0:
		contact = fmt.Sprintf("user%d@example.com", r.IntN(1e6))
	case 1:
		contact = fmt.Sprintf("+1212555%04d", r.IntN(1e4))
	case 2:
		contact = fmt.Sprintf("%03d-%02d-%04d", 100+r.IntN(500), 10+r.IntN(80), 1000+r.IntN(8000))
	}
	names := []string{"Mira Holt", "Jon Akande", "Sofia Brandt", "Lee Castellano", "Ada Wu"}
	notes := []string{"customer asked for the newsletter", "gift wrap, leave at the door", `\N`}
	fmt.Fprintf(b, "%d\t%s\t%s\t%s\t%s %s.%06d\t%d.%02d\tactive\t%d Station Road, Springfield\t%s\n",
		n, names[r.IntN(len(names))], contact, uuid(r), date(r), clock(r), r.IntN(1e6),
		r.IntN(5000), r.IntN(100), r.IntN(900), notes[r.IntN(len(notes))])
}

func line(b *strings.Builder, r *rand.Rand, _ int) {
	switch r.IntN(12) {
	case 0:
		fmt.Fprintf(b, "\x1b[01;34mdeploy@web-%02d\x1b[00m:\x1b[01;32m~/app\x1b[00m$ git log --oneline\r\n", r.IntN(40))
	case 1:
		fmt.Fprintf(b, "Author: Mira Holt <mira.holt%d@example.org>\r\n", r.IntN(100))
	case 2:
		fmt.Fprintf(b, "DB_PASSWORD=hunter%d\r\n", r.IntN(1e6))
	case 3, 4:
		fmt.Fprintf(b, "drwxr-xr-x  %d root root %6d Mar %2d %s \x1b[01;34mnode_modules\x1b[0m\r\n",
			r.IntN(9), r.IntN(1e5), 1+r.IntN(28), clock(r)[:5])
	default:
		fmt.Fprintf(b, "%sT%sZ INFO request id=%016x status=200 path=/api/v1/orders/%d took=%dms ip=%s\r\n",
			date(r), clock(r), r.Uint64(), r.IntN(1e6), r.IntN(400), address(r))
	}
}

func pod(b *strings.Builder, r *rand.Rand, _ int) {
	fmt.Fprintf(b, `{"metadata":{"name":"api-%09x-%05x","namespace":"default","uid":"%s","resourceVersion":"%d","creationTimestamp":"%sT%sZ",`,
		r.IntN(1<<30), r.IntN(1<<20), uuid(r), r.IntN(1e8), date(r), clock(r))
	fmt.Fprintf(b, `"labels":{"app":"api","pod-template-hash":"%09x"}},"spec":{"containers":[{"name":"api","image":"registry.example.com/api@sha256:%064x",`,
		r.IntN(1<<30), r.Uint64())
	fmt.Fprintf(b, `"env":[{"name":"PORT","value":"8080"},{"name":"LOG_LEVEL","value":"info"}],"volumeMounts":[{"name":"kube-api-access-%05x",`, r.IntN(1<<20))
	b.WriteString(`"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","readOnly":true}]}],"serviceAccountName":"default","terminationGracePeriodSeconds":30},`)
	fmt.Fprintf(b, `"status":{"phase":"Running","podIP":"%s","startTime":"%sT%sZ"}},`, address(r), date(r), clock(r))
	if r.IntN(10) == 0 {
		fmt.Fprintf(b, `{"name":"DATABASE_URL","value":"postgres://app:pw%dx@db/app"},`, r.IntN(1e6))
	}
}

func uuid(r *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Uint64()>>16)
}

func date(r *rand.Rand) string { return fmt.Sprintf("2024-%02d-%02d", 1+r.IntN(12), 1+r.IntN(28)) }

func clock(r *rand.Rand) string {
	return fmt.Sprintf("%02d:%02d:%02d", r.IntN(24), r.IntN(60), r.IntN(60))
}

func address(r *rand.Rand) string {
	return fmt.Sprintf("10.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256))
}
