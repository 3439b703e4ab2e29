package mask

import (
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

var anew = flag.Bool("record", false, "record testdata/bash_vi.jsonl.gz anew, with the bash, less and vi of this machine")

const (
	keyPause  = 35 * time.Millisecond // a quick typist
	linePause = 700 * time.Millisecond
)

// TestRecordSession types what a person at work types, key by key.
func TestRecordSession(t *testing.T) {
	if !*anew {
		return
	}
	home := t.TempDir()
	fillHome(t, home)
	shell := exec.Command("bash", "--noprofile", "--rcfile", filepath.Join(home, ".bashrc"), "-i")
	shell.Dir = home
	shell.Env = []string{"HOME=" + home, "TERM=xterm-256color", "LANG=C.UTF-8", "PATH=/usr/bin:/bin"}
	r := startRecording(t, shell)
	for _, keys := range []string{
		"cd app\r", "ls -la\r", "ls --color=always -l ../bin\r", "head -3 customers.csv\r",
		"grep -c active customers.csv\r", "git log --oneline 2>&1 | head\r", "cat service.log | tail -40\r",
		"less service.log\r", " ", " ", "/order\r", "n", "G", "q",
		"export DB_PASSWORD=correct7horse\r", "declare -p DB_PASSWORD\r", "echo \"call me at 5\"\r",
		"vi notes.txt\r", "Go", "meeting with Mira at 10:30, room 4\rthen lunch", "\x1b", "ggj", "dd", "p", ":set number\r", "/vendor\r", "n", ":wq\r",
		"cat notes.txt\r", "for i in 1 2 3; do echo line $i; sleep 0.1; done\r", "ps\r",
		"vi customers.csv\r", "\x06", "\x06", "\x06", "\x02", ":q!\r", "history | tail -5\r", "exit\r",
	} {
		r.send(keys)
	}
	if err := shell.Wait(); err != nil {
		t.Fatal(err)
	}
	r.save("testdata/bash_vi.jsonl.gz")
}

// fillHome writes the files that the session looks at: data of nobody.
func fillHome(t *testing.T, home string) {
	t.Helper()
	var customers, log, notes strings.Builder
	for i := range 400 {
		fmt.Fprintf(&customers, "%d,Mira Holt,mira%d@example.com,2024-05-%02d,active,%d.%02d\n", 1000+i, i, 1+i%28, i*7%900, i%100)
		fmt.Fprintf(&log, "2024-05-%02dT10:%02d:%02dZ INFO order=%d status=200 took=%dms path=/api/v1/orders\n", 1+i%28, i%60, i*7%60, 100000+i, i*13%400)
		fmt.Fprintf(&notes, "%d. ask the vendor about part %d-%c\n", i, i*31%1000, 'A'+i%26)
	}
	files := map[string]string{
		".bashrc": "PS1='\\[\\e[01;32m\\]mira@web\\[\\e[00m\\]:\\[\\e[01;34m\\]\\w\\[\\e[00m\\]$ '\n", "app/customers.csv": customers.String(),
		"app/service.log": log.String(), "app/notes.txt": notes.String(),
	}
	for i := range 150 {
		files[fmt.Sprintf("bin/tool-%d-%x", i, i*7919)] = strings.Repeat("#", i*7919%9973)
	}
	for name, text := range files {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// recording notes what goes to and comes from a terminal.
type recording struct {
	t        *testing.T
	terminal *os.File
	since    time.Time

	mu      sync.Mutex
	entries [][3]any
}

func startRecording(t *testing.T, shell *exec.Cmd) *recording {
	t.Helper()
	terminal, err := pty.StartWithSize(shell, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{t: t, terminal: terminal, since: time.Now()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 32<<10)
		for {
			n, err := terminal.Read(buffer)
			r.note("o", buffer[:n])
			if err != nil { // the shell has ended
				return
			}
		}
	}()
	t.Cleanup(func() {
		<-done
		terminal.Close()
	})
	time.Sleep(linePause)
	return r
}

func (r *recording) note(direction string, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(text) > 0 {
		r.entries = append(r.entries, [3]any{time.Since(r.since).Microseconds(), direction, hex.EncodeToString(text)})
	}
}

// send types keys and waits for what they do.
func (r *recording) send(keys string) {
	for _, key := range []byte(keys) {
		r.note("i", []byte{key})
		if _, err := r.terminal.Write([]byte{key}); err != nil {
			r.t.Fatal(err)
		}
		time.Sleep(keyPause)
	}
	time.Sleep(linePause)
}

func (r *recording) save(path string) {
	f, err := os.Create(path)
	if err != nil {
		r.t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	encode := json.NewEncoder(z)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries {
		if err := encode.Encode(e); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		r.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		r.t.Fatal(err)
	}
}
