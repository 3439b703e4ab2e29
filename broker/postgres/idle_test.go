package postgres

import (
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// memory is what the process holds for good, bytes.
func memory() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// A session that is silent holds no buffers: 64 KiB is what the whole broker
// may take for it, and the relay and the login before it are most of that.
func TestIdleSessionsAreSmall(t *testing.T) {
	superuser(t, clientsSQL)
	w := relayWorld(t, labels())
	w.engine.idle = 20 * time.Millisecond
	dir, port := w.listen()
	const n = 60
	open := func() net.Conn {
		c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		rawStartup(t, c, protocol30, "user", "x")
		talk(t, c, []byte(simple("select * from clients")+parse("s", "select * from clients where id = $1")+
			bindTo("", "s", 0, "5")+execute("", 0)+string(frame('S'))), 2)
		return c
	}
	open()
	time.Sleep(100 * time.Millisecond)
	before := memory()
	var all []net.Conn
	for range n {
		all = append(all, open())
	}
	time.Sleep(100 * time.Millisecond)
	each := (memory() - before) / n
	t.Logf("%d bytes for an idle session", each)
	if each > 48<<10 {
		t.Errorf("an idle session holds %d bytes", each)
	}
	for _, c := range all { // and they still work
		talk(t, c, []byte(simple("select 1")), 1)
	}
}
