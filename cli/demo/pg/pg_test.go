package pg

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func start(t *testing.T, opts Options) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Start(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestServerAnswersAndGoes(t *testing.T) {
	s := start(t, Options{Settings: map[string]string{"log_statement": "all", "work_mem": "7MB"}})
	out, err := s.Exec(t.Context(), "postgres", "show work_mem; show fsync; select 'it''s'")
	if err != nil || out != "7MB\noff\nit's" {
		t.Fatalf("got %q, %v", out, err)
	}
	file := filepath.Join(t.TempDir(), "init.sql")
	if err := os.WriteFile(file, []byte("create database shop;\n\\c shop\ncreate table t (a int);\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.ExecFile(t.Context(), "postgres", file); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Exec(t.Context(), "shop", "select count(*) from t"); err != nil || out != "0" {
		t.Fatalf("got %q, %v", out, err)
	}
	if _, err := s.Exec(t.Context(), "shop", "select nothing"); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Fatalf("an error in SQL was told as %v", err)
	}
	if log, err := os.ReadFile(s.LogFile); err != nil || !strings.Contains(string(log), "create database shop") {
		t.Fatalf("the log lacks a statement: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port))); err == nil {
		t.Fatal("the port still answers after Stop")
	}
	if _, err := os.Stat(s.DataDir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the cluster is still there: %v", err)
	}
}

func TestPasswordIsAsked(t *testing.T) {
	s := start(t, Options{Dir: t.TempDir()})
	for _, host := range []string{s.Host, s.SocketDir} {
		cmd := exec.Command(filepath.Join(s.BinDir, "psql"), "-w", "-c", "select 1")
		cmd.Env = append(cleanEnv(), "PGHOST="+host, "PGPORT="+strconv.Itoa(s.Port), "PGUSER="+s.Superuser, "PGPASSWORD=wrong")
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "password authentication failed") {
			t.Errorf("%s let a wrong password in: %s", host, out)
		}
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	_, err := Start(t.Context(), Options{BinDir: t.TempDir()})
	if !errors.Is(err, ErrNoPostgres) || !strings.Contains(err.Error(), "initdb") {
		t.Errorf("an empty directory of binaries gave: %v", err)
	}
	_, err = Start(t.Context(), Options{Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("an unknown setting gave: %v", err)
	}
}

// A server must not outlive the process that started it, however that ends.
func TestServerEndsWithItsParent(t *testing.T) {
	if os.Getenv("HOOP_PG_TEST_PARENT") != "" {
		s, err := Start(t.Context(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("port " + strconv.Itoa(s.Port) + " " + filepath.Dir(s.DataDir) + "\n")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	if !diesWithParent {
		t.Log("this system cannot bind a child to its parent")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithItsParent$")
	cmd.Env = append(os.Environ(), "HOOP_PG_TEST_PARENT=1")
	out, _ := cmd.Output() // it kills itself
	f := strings.Fields(string(out))
	if len(f) != 3 || f[0] != "port" {
		t.Fatalf("the parent said %q", out)
	}
	defer os.RemoveAll(f[2])
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+f[1])
		if err != nil {
			return
		}
		c.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server still listens")
		}
	}
}
