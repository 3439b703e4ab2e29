package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoop/cli/demo"
)

// sshWay is one of the two ways to the same OpenSSH server: directly, and
// through hoop as hoop ssh config install lays it.
type sshWay struct {
	name, host, config string
	bin                string // with the clients on this configuration
	env                []string
}

// sshWays prepares both ways. OpenSSH looks for its configuration in the home
// folder of the account whatever HOME says, so the clients on the PATH are told
// where it is; that is all they are told.
var sshWays = sync.OnceValues(func() ([2]sshWay, error) {
	dir, err := os.MkdirTemp("", "hoop-ways-")
	if err != nil {
		return [2]sshWay{}, err
	}
	server := theWorld.up.SSH
	direct := sshWay{name: "direct", host: "target.example", config: filepath.Join(dir, "direct")}
	through := sshWay{name: "through hoop", host: demo.SSHConnection + ".hoop", config: filepath.Join(dir, "config")}
	if err := os.WriteFile(direct.config, []byte(server.ClientConfig(direct.host)), 0o600); err != nil {
		return [2]sshWay{}, err
	}
	alice := filepath.Join(theWorld.up.Dir, "alice")
	install := exec.Command("hoop", "ssh", "config", "install", "--file", through.config)
	install.Env = clientEnv(alice)
	if out, err := install.CombinedOutput(); err != nil {
		return [2]sshWay{}, fmt.Errorf("%w: %s", err, out)
	}
	for _, w := range []*sshWay{&direct, &through} {
		w.bin = filepath.Join(dir, "bin-"+w.host)
		w.env = clientEnv(alice, "H="+w.host, "CONFIG="+w.config, "USER="+server.User, "DIRECT="+direct.config)
		if err := w.writeClients(); err != nil {
			return [2]sshWay{}, err
		}
	}
	return [2]sshWay{direct, through}, nil
})

func (w *sshWay) writeClients() error {
	if err := os.MkdirAll(w.bin, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"ssh", "scp", "sftp"} {
		path, err := exec.LookPath(name)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("#!/bin/sh\nexec %s -F '%s' \"$@\"\n", path, w.config)
		if err := os.WriteFile(filepath.Join(w.bin, name), []byte(text), 0o700); err != nil {
			return err
		}
	}
	w.env = append(w.env, "PATH="+w.bin+":"+os.Getenv("PATH"))
	return nil
}

func waysOf(t testing.TB) [2]sshWay {
	t.Helper()
	if world(t).SSH == nil {
		t.Fatal("there is no SSH server: run .ci/setup test")
	}
	ways, err := sshWays()
	if err != nil {
		t.Fatal(err)
	}
	return ways
}

// scriptLimit is when a script hangs.
const scriptLimit = time.Minute

// run runs a script in folders of its own: L here, R at the server. What
// differs between any two runs is made equal.
func (w *sshWay) run(t testing.TB, script string, vars map[string]string) ran {
	t.Helper()
	dir := t.TempDir()
	env := append([]string{}, w.env...)
	same := []string{w.host, "HOST", dir, "DIR", "Connection to 127.0.0.1 ", "Connection to HOST "}
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	for _, name := range []string{"L", "R"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+filepath.Join(dir, name))
	}
	port := sshPort(t)
	same = append(same, port, "PORT")
	env = append(env, "PORT="+port)
	ctx, cancel := context.WithTimeout(t.Context(), scriptLimit)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", script)
	var out, errs bytes.Buffer
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) } // what hangs is a child
	c.Dir, c.Env, c.Stdout, c.Stderr, c.WaitDelay = filepath.Join(dir, "L"), env, &out, &errs, 10*time.Second
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s%s", w.name, err, out.String(), errs.String())
	}
	equal := strings.NewReplacer(same...)
	return ran{equal.Replace(out.String()), equal.Replace(errs.String()), c.ProcessState.ExitCode()}
}

var lastPort atomic.Int32

// sshPort gives a TCP port to forward. It is none of those that systems give to
// whoever asks for any, one of which somebody else could have by then.
func sshPort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := 12000 + (os.Getpid()*37+int(lastPort.Add(1)))%8000
		if l, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(port))); err == nil {
			_ = l.Close()
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no port is free")
	return ""
}

// compare runs a script both ways and wants the same output, errors and exit
// code; and what is wanted of both, so that they are not equal in failing.
func compare(t *testing.T, script string, code int, shows string, vars map[string]string) {
	t.Helper()
	ways := waysOf(t)
	direct, through := ways[0].run(t, script, vars), ways[1].run(t, script, vars)
	if direct.code != code || !regexp.MustCompile(`(?s)`+shows).MatchString(direct.stdout+direct.stderr) {
		t.Errorf("direct: exit code %d, want %d\nstdout: %s\nstderr: %s", direct.code, code, direct.stdout, direct.stderr)
	}
	if diff := cmp.Diff([]any{direct.code, direct.stdout, direct.stderr}, []any{through.code, through.stdout, through.stderr}); diff != "" {
		t.Errorf("through hoop (+) differs from direct (-):\n%s", diff)
	}
}

func TestSSHClientsSeeNoDifference(t *testing.T) {
	t.Parallel()
	world(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "web got %s %d\n", r.URL.Path, len(body))
	}))
	t.Cleanup(web.Close)
	port := strconv.Itoa(web.Listener.Addr().(*net.TCPAddr).Port)
	vars := map[string]string{"WEB": port}
	for _, c := range sshCases {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			compare(t, c.script, c.code, c.shows, vars)
		})
	}
}

// masterScript starts a master with options and leaves MASTER to end it.
const masterScript = `
M="ssh -S $R/ctl"
master() { ssh -f -N -M -S "$R/ctl" "$@" $H; }
done_with_it() { $M -O exit $H 2>/dev/null; }
`

var sshCases = []struct {
	name, script string
	code         int
	shows        string
}{
	{"exit code", `ssh $H 'echo out; echo err >&2; exit 7'`, 7, `^out\nerr\n$`},
	{"no such command", `ssh $H no-such-command-here`, 127, `not found`},
	{"ended by a signal", `ssh $H 'echo before; kill -TERM $$; sleep 5'; a=$?; ssh $H 'kill -KILL $$'; echo $a $?`, 0, `before\n255 255\n`},
	{"words are joined", `ssh $H echo "a  b" '$((1+1))' '"x  y"'`, 0, `^a b 2 x  y\n$`},
	{"a script as standard input", `printf 'echo shell; cd /; pwd; exit 4\n' | ssh -T $H`, 4, `shell\n/\n`},
	{"standard input and its end", `printf abc | ssh $H 'cat; echo; echo end'; ssh -n $H 'cat | wc -c'; ssh $H cat </dev/null; echo line | ssh $H 'read x; echo "got $x"; cat'`,
		0, `^abc\nend\n0\ngot line\n$`},
	{"a command that does not read", `yes 2>/dev/null | ssh $H 'head -n 2'; yes 2>/dev/null | ssh $H 'exec <&-; echo closed; sleep 0.2; exit 3'`, 3, `^y\ny\nclosed\n$`},
	{"a client that stops reading", `ssh $H 'yes 2>/dev/null' | head -n 3`, 0, `^y\ny\ny\n$`},
	{"output after the input ended", `ssh $H 'cat >/dev/null; sleep 0.2; echo late; echo later >&2; exit 9' </dev/null`, 9, `^late\nlater\n$`},
	{"every byte", `ssh $H "printf '%b' '\0000\0001\0012\0015\0033\0176\0177\0200\0377'" | od -An -tx1`, 0, `00 01 0a 0d 1b 7e 7f 80 ff`},
	{"large both ways", `head -c 20000000 /dev/urandom >f; cp f $R/f
		test "$(md5sum <f)" = "$(ssh $H cat <f | md5sum)" && echo both ways
		test "$(md5sum <f)" = "$(ssh $H "cat $R/f" | md5sum)" && echo down
		test "$(md5sum <f)" = "$(ssh $H md5sum <f)" && echo up
		ssh $H 'head -c 3000000 /dev/zero >&2; exit 6' 2>&1 | wc -c`, 0, `^both ways\ndown\nup\n3000000\n$`},
	{"with a terminal", `ssh -tt $H 'test -t 0 && test -t 1 && test -t 2 && echo terminal $TERM; exit 5' </dev/null`, 5, `terminal xterm\r\n`},
	{"a break", `printf 'echo be"gin"\n~Becho af"ter"\nexit 3\n' | ssh -tt $H 'PS1= sh' | grep -c -E '^(begin|after).?$'`, 0, `2\n`},
	{"environment", `HOOP_TEST_A='1 2' LC_ALL=C.UTF-8 ssh -o SendEnv=HOOP_TEST_A -o SetEnv=HOOP_TEST_B=3 $H 'echo "$HOOP_TEST_A|$HOOP_TEST_B|$LC_ALL|$SSH_TTY"'
		NOT_ACCEPTED=1 ssh -o SendEnv=NOT_ACCEPTED $H 'echo "<$NOT_ACCEPTED>"'`, 0, `^1 2\|3\|(C.UTF-8)?\|\n<>\n$`},
	{"an unknown subsystem", `ssh -s $H no-such-subsystem`, 255, `subsystem request failed`},

	{"scp", `mkdir -p d/e; echo one >d/one; head -c 2000000 /dev/urandom >d/e/big; chmod 640 d/one; touch -d 2001-02-03 d/one
		scp -q -r -p d $H:$R/d && scp -q -r -p $H:$R/d back && diff -r d back && stat -c "%a %y" back/one
		scp $H:$R/missing .; echo $?; scp -q d/one $H:/proc/nowhere/x; echo $?`, 0, `640 2001-02-03.*No such file`},
	{"scp -O", `mkdir -p d/e; echo one >d/one; head -c 2000000 /dev/urandom >d/e/big
		scp -O -q -r -p d $H:$R/d && scp -O -q -r -p $H:$R/d back && diff -r d back && echo same
		scp -O $H:$R/missing .; echo $?`, 0, `same\n.*No such file.*`},
	{"sftp", `echo text >a; cat >batch <<E
cd $R
put a b
-rename b c
mkdir d
put a d/a
ls
ls -1 d
chmod 600 c
get c got
symlink c link
-rm missing
rm link
rm c
rm d/a
rmdir d
ls
pwd
df
E
		sed -i '/^df/d' batch
		sftp -b batch $H; echo code $?; cat got; printf 'cd %s\nget missing\npwd\n' $R >bad; sftp -b bad $H; echo code $?`, 0, `code 0\ntext\n.*code 1\n`},
	{"rsync", `mkdir -p d/e; echo one >d/one; head -c 2000000 /dev/urandom >d/e/big; ln -s one d/link
		rsync -a --stats d/ $H:$R/d/ | grep 'Number of created files'; echo two >d/two; rm d/one; touch -d 2001-02-03 d; rsync -a --delete -i d/ $H:$R/d/
		rsync -a $H:$R/d/ back/ && diff -r --no-dereference d back && echo same; rsync -a $H:$R/missing . ; echo $?`, 0, `\*deleting.*same\n.*23\n`},
	{"git", `export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
		git init -q --bare -b main $R/r.git; git clone -q $H:$R/r.git one 2>/dev/null; cd one; git checkout -q -b main
		head -c 2000000 /dev/urandom >big; git add big; git commit -qm first; git push -q origin main && cd .. && git clone -q $H:$R/r.git two && cmp one/big two/big && echo same
		cd two && git fetch -q && git log --format=%s origin/main; git ls-remote $H:$R/missing.git; echo $?`, 0, `same\nfirst\n.*128\n`},

	{"forward -L", masterScript + `master -L $PORT:127.0.0.1:$WEB -L $R/l.sock:127.0.0.1:$WEB
		curl -sS http://127.0.0.1:$PORT/one; curl -sS --unix-socket $R/l.sock http://x/two; head -c 5000000 /dev/zero | curl -sS --data-binary @- http://127.0.0.1:$PORT/up
		$M -O cancel -L $PORT:127.0.0.1:$WEB $H; curl -s http://127.0.0.1:$PORT/; echo $?; done_with_it`, 0, `^web got /one 0\nweb got /two 0\nweb got /up 5000000\n7\n$`},
	{"forward -L to a closed port", `mkfifo $R/in; ssh -L $R/l.sock:127.0.0.1:1 $H 'echo up; cat; exit 5' <$R/in >$R/out 2>$R/err & exec 3>$R/in; until grep -q up $R/out; do sleep 0.1; done
		curl -s --unix-socket $R/l.sock http://x/; test $? -ne 0 && echo refused; exec 3>&-; wait $!; echo $?; sed 's/channel [0-9]*/channel N/' $R/err`, 0, `refused\n5\nchannel N: open failed: connect failed: Connection refused`},
	{"forward -R", masterScript + `master -R $PORT:127.0.0.1:$WEB -R $R/r.sock:127.0.0.1:$WEB
		ssh $H "curl -sS http://127.0.0.1:$PORT/one; curl -sS --unix-socket $R/r.sock http://x/two; head -c 5000000 /dev/zero | curl -sS --data-binary @- http://127.0.0.1:$PORT/up"
		$M -O cancel -R $PORT:127.0.0.1:$WEB $H; curl -s http://127.0.0.1:$PORT/; echo $?
		p=$($M -O forward -R 0:127.0.0.1:$WEB $H); curl -sS http://127.0.0.1:$p/three; done_with_it`, 0, `^web got /one 0\nweb got /two 0\nweb got /up 5000000\n7\nweb got /three 0\n$`},
	{"forward -R of a port that is taken", masterScript + `master -R $PORT:127.0.0.1:$WEB; ssh -o ExitOnForwardFailure=yes -N -R $PORT:127.0.0.1:1 $H; echo $?
		ssh -R $PORT:127.0.0.1:1 $H 'echo goes on'; done_with_it`, 0, `255\ngoes on\n.*remote port forwarding failed`},
	{"forward -D", masterScript + `master -D $PORT; curl -sS --socks5-hostname 127.0.0.1:$PORT http://localhost:$WEB/named; curl -sS --socks4 127.0.0.1:$PORT http://127.0.0.1:$WEB/four; done_with_it`,
		0, `^web got /named 0\nweb got /four 0\n$`},
	{"forward -W", `printf 'GET /stdio HTTP/1.0\r\n\r\n' | ssh -W 127.0.0.1:$WEB $H | tail -n 1; ssh -W 127.0.0.1:1 $H; echo $?`, 0, `web got /stdio 0\n.*255\n`},
	{"a jump", `cp $CONFIG both; cat >>both <<E
Host inner
  ProxyJump $H
E
		sed 's/^Host .*/Host inner/' $DIRECT >>both; command ssh -F both inner 'echo jumped; exit 8'`, 8, `^jumped\n$`},
	{"as VS Code does", `(echo 'echo started; read x; echo "$x"'; sleep 2; echo over) | ssh -T -D $PORT $H bash >out & sleep 0.5
		for i in 1 2 3 4 5 6 7 8 9 10; do curl -sS --socks5-hostname 127.0.0.1:$PORT http://localhost:$WEB/code 2>/dev/null && break; sleep 0.2; done; wait; cat out`,
		0, `^web got /code 0\nstarted\nover\n$`},
	{"no command", `ssh -N -L $PORT:127.0.0.1:$WEB $H & for i in 1 2 3 4 5 6 7 8 9 10; do curl -sS http://127.0.0.1:$PORT/none 2>/dev/null && break; sleep 0.3; done
		kill $!; wait $!; echo $?`, 0, `^web got /none 0\n`},

	{"agent", `eval "$(ssh-agent -a $R/agent)" >/dev/null; ssh-keygen -q -t ed25519 -N '' -C compat -f k; ssh-add -q k
		ssh -A $H 'ssh-add -l' | sed 's/SHA256:[^ ]*/FINGERPRINT/'; ssh -a $H 'ssh-add -l'; echo $?; ssh -A -tt $H 'ssh-add -L >/dev/null && echo there' </dev/null; ssh-agent -k >/dev/null`,
		0, `^256 FINGERPRINT compat \(ED25519\)\n2\nthere`},
	{"many over one connection", masterScript + `master
		seq 200 | xargs -P 8 -I{} sh -c 'ssh -S $R/ctl $H "exit $(({} % 250))"; c=$?; test $c -eq $(({} % 250)) || echo {} gave $c'
		seq 50 | xargs -P 50 -I{} ssh -S $R/ctl $H 'sleep 1; echo {}' | sort -n | md5sum; done_with_it`, 0, `^b885da53f6987b3bc0d8e3c9e1ae4c3a|^[0-9a-f]{32}  -\n$`},
	{"rekeying", `head -c 50000000 /dev/urandom >f; test "$(md5sum <f)" = "$(ssh -o RekeyLimit=5M $H cat <f | md5sum)" && echo same`, 0, `^same\n$`},
	{"keepalives", `ssh -o ServerAliveInterval=1 -o ServerAliveCountMax=1 $H 'sleep 3.5; echo alive'`, 0, `^alive\n$`},
}

// Slow clients come alone: a module of Ansible is many processes.
func TestAnsibleSeesNoDifference(t *testing.T) {
	t.Parallel()
	compare(t, `export ANSIBLE_LOCALHOST_WARNING=False ANSIBLE_NOCOLOR=1 ANSIBLE_HOME=$L/home ANSIBLE_LOCAL_TEMP=$L/tmp ANSIBLE_REMOTE_TEMP=$R/tmp
		export ANSIBLE_SSH_CONTROL_PATH_DIR=$R ANSIBLE_SSH_CONTROL_PATH=$R/c ANSIBLE_PYTHON_INTERPRETER=$(command -v python3) ANSIBLE_HOST_KEY_CHECKING=True
		ansible -i "$H," all -m shell -a 'echo from ansible; exit 3' | sed 's/^.*| FAILED/HOST | FAILED/'
		echo content >file; ansible -i "$H," all -m copy -a "src=file dest=$R/copied mode=0640" >out; grep -E 'changed"|CHANGED' out; cat $R/copied; stat -c %a $R/copied
		ssh -o ControlPath=$R/c -O exit $H 2>/dev/null`, 0, `rc=3.*from ansible.*changed": true.*content\n640\n`, nil)
}

func TestSSHFSSeesNoDifference(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Log("this system has no FUSE")
		return
	}
	compare(t, `mkdir m; sshfs $H:$R m || exit 99; echo written >m/file; mkdir m/dir; head -c 3000000 /dev/urandom >big; cp big m/dir/big; mv m/file m/moved
		cat $R/moved; cmp big $R/dir/big && cmp big m/dir/big && echo same; ls m; rm m/moved; ls $R; cat m/missing; fusermount3 -u m && echo unmounted`,
		0, `^written\nsame\ndir\nmoved\ndir\nunmounted\n`, nil)
}
