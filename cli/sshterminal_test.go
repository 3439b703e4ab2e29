package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// onSSH runs a command of ssh on a terminal, one of the two ways.
func onSSH(t *testing.T, w *sshWay, args ...string) *terminal {
	t.Helper()
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(ssh, append([]string{"-F", w.config, "-t", w.host}, args...)...)
	c.Env = w.env
	return onTerminalOf(t, c, 90, 30)
}

func TestTerminalsOfSSHSeeNoDifference(t *testing.T) {
	t.Parallel()
	for _, w := range waysOf(t) {
		t.Run(strings.ReplaceAll(w.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			x := onSSH(t, &w, `trap 'echo interrupted; exit 9' INT; echo "begin $(stty size)"; while test "$(stty size)" = "30 90"; do sleep 0.05; done; echo "now $(stty size)"; read x; sleep 60 & echo "got $x"; wait`)
			x.wait("begin 30 90")
			if err := pty.Setsize(x.file, &pty.Winsize{Rows: 41, Cols: 123}); err != nil {
				t.Fatal(err)
			}
			x.wait("now 41 123")
			x.type_("öäü 漢字 🙂\r")
			x.wait("got öäü 漢字 🙂")
			x.type_("\x03")
			x.wait("interrupted")
			if code := x.end(); code != 9 {
				t.Errorf("exit code %d, want 9", code)
			}
		})
	}
}

// TestShellOnATerminal: a login shell with its prompt, a break, the escape that
// ends ssh, and a session that the shell ends.
func TestShellOnATerminal(t *testing.T) {
	t.Parallel()
	for _, w := range waysOf(t) {
		t.Run(strings.ReplaceAll(w.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			x := onSSH(t, &w)
			x.type_("echo a'b'c\r")
			x.wait("abc")
			x.type_("\r~B")
			x.type_("echo d'e'f\r")
			x.wait("def")
			x.type_("exit 6\r")
			if code := x.end(); code != 6 {
				t.Errorf("exit code %d, want 6", code)
			}
			x = onSSH(t, &w)
			x.type_("echo g'h'i\r")
			x.wait("ghi")
			x.type_("\r~.")
			if code := x.end(); code != 255 {
				t.Errorf("exit code %d after ~., want 255", code)
			}
		})
	}
}

func TestX11SeesNoDifference(t *testing.T) {
	t.Parallel()
	world(t)
	cookie := bytes.Repeat([]byte{0xab, 0x17}, 8)
	display := fakeDisplay(t, cookie)
	compare(t, `export XAUTHORITY=$L/xauth DISPLAY=127.0.0.1:$SCREEN; touch $XAUTHORITY; xauth -q add $DISPLAY MIT-MAGIC-COOKIE-1 $COOKIE
		ssh -Y $H "$(command -v xprobe)"' "$DISPLAY" "$(xauth list "$DISPLAY" | cut -d" " -f5)"; echo $?'; ssh -x $H 'echo "<$DISPLAY>"'`,
		0, `^the display says: hello\n0\n<>\n$`, map[string]string{"SCREEN": display, "COOKIE": hex.EncodeToString(cookie)})
}

// fakeDisplay is enough of an X server to see who comes and to answer (X Window
// System Protocol, "Connection Setup").
func fakeDisplay(t *testing.T, cookie []byte) string {
	t.Helper()
	var l net.Listener
	n := 0
	for n = 100; n < 900 && l == nil; n++ {
		l, _ = net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(6000+n))
	}
	if l == nil {
		t.Fatal("no display is free")
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answer := "hello"
			if got, err := readXSetup(c); err != nil || !bytes.Equal(got, cookie) {
				answer = fmt.Sprintf("the cookie is %x, %v", got, err)
			}
			_, _ = c.Write(append([]byte{0, byte(len(answer)), 11, 0, 0, 0, 0, 0}, answer...))
			_ = c.Close()
		}
	}()
	return strconv.Itoa(n - 1)
}

func readXSetup(c io.Reader) ([]byte, error) {
	head := make([]byte, 12)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	name, data := int(binary.LittleEndian.Uint16(head[6:])), int(binary.LittleEndian.Uint16(head[8:]))
	padded := (name + 3) &^ 3
	rest := make([]byte, padded+data)
	_, err := io.ReadFull(c, rest)
	return rest[padded:], err
}

// xprobe is a program for the far side: it asks a display, with a cookie, and
// prints the answer.
func xprobe() {
	display, cookie := os.Args[1], os.Args[2]
	host, screen, _ := strings.Cut(display, ":")
	n, err := strconv.Atoi(strings.TrimSuffix(screen, ".0"))
	key, kerr := hex.DecodeString(cookie)
	c, derr := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(6000+n)))
	if err != nil || kerr != nil || derr != nil {
		fmt.Println(err, kerr, derr)
		os.Exit(1)
	}
	const name = "MIT-MAGIC-COOKIE-1"
	setup := []byte{'l', 0, 11, 0, 0, 0, byte(len(name)), 0, byte(len(key)), 0, 0, 0}
	setup = append(append(setup, name+"\x00\x00"...), key...)
	if _, err := c.Write(setup); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	answer, err := io.ReadAll(c)
	if err != nil || len(answer) < 8 {
		fmt.Println(answer, err)
		os.Exit(1)
	}
	fmt.Printf("the display says: %s\n", answer[8:])
}
