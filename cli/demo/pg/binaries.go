package pg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// BinDirEnv names a directory of PostgreSQL binaries to prefer over a search.
const BinDirEnv = "HOOP_PG_BIN"

// ErrNoPostgres tells that this machine has no usable PostgreSQL server.
var ErrNoPostgres = errors.New("no PostgreSQL server found")

// needed are the programs that a directory must hold to be of use.
var needed = [...]string{"initdb", "postgres", "psql"}

// FindBinaries gives a directory with initdb, postgres and psql: dir where it
// is not empty, else $HOOP_PG_BIN, else the newest of those in PATH, of
// Debian, of Red Hat and of Homebrew.
func FindBinaries(dir string) (string, error) {
	if dir == "" {
		dir = os.Getenv(BinDirEnv)
	}
	if dir != "" {
		if name := missing(dir); name != "" {
			return "", fmt.Errorf("%w: %s has no %s", ErrNoPostgres, dir, name)
		}
		return dir, nil
	}
	var best string
	newest := -1
	for _, dir := range candidates() {
		if missing(dir) != "" {
			continue
		}
		if v := majorVersion(dir); v > newest {
			best, newest = dir, v
		}
	}
	if best == "" {
		return "", fmt.Errorf("%w: it needs initdb, postgres and psql in PATH or $%s; %s",
			ErrNoPostgres, BinDirEnv, installHint())
	}
	return best, nil
}

func candidates() []string {
	var dirs []string
	if p, err := exec.LookPath("postgres"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			dirs = append(dirs, filepath.Dir(p))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/usr/libexec/postgresql*",
		"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		dirs = append(dirs, found...)
	}
	return dirs
}

// missing names the first program that dir lacks, or nothing.
func missing(dir string) string {
	for _, name := range needed {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.IsDir() || st.Mode()&0o111 == 0 {
			return name
		}
	}
	return ""
}

// majorVersion asks the server; 0 where it does not say.
func majorVersion(dir string) int {
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return 0
	}
	// "postgres (PostgreSQL) 15.4 (Debian …)", "… 19beta1".
	for _, word := range strings.Fields(string(out)) {
		end := strings.IndexFunc(word, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(word)
		}
		if v, err := strconv.Atoi(word[:end]); err == nil {
			return v
		}
	}
	return 0
}

func installHint() string {
	if runtime.GOOS == "darwin" {
		return "install it with: brew install postgresql"
	}
	for program, hint := range map[string]string{
		"apt-get": "apt-get install postgresql", "dnf": "dnf install postgresql-server",
		"apk": "apk add postgresql postgresql-client", "pacman": "pacman -S postgresql",
	} {
		if _, err := exec.LookPath(program); err == nil {
			return "install it with: " + hint
		}
	}
	return "install the PostgreSQL server"
}
