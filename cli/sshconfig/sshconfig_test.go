package sshconfig

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const aKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJp8O4hWvVvJSb6VnWcnZnKvWJdV8WnFPVqwGQpBnZcS"

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func put(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// What is included and taken back leaves the file as it was, to the byte.
func TestIncludeIsTakenBackExactly(t *testing.T) {
	dir := t.TempDir()
	for name, before := range map[string]string{
		"plain":      "Host *\n  User x\n",
		"no newline": "Host *\n  User x",
		"crlf":       "Host *\r\n  User x\r\n",
		"comment":    "# mine\n\n\nHost a\n\tPort 7\n",
		"not utf-8":  "# \xff\xfe\nHost b\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config")
			put(t, file, before, 0o640)
			if changed, err := Include(file, dir); err != nil || !changed {
				t.Fatal(changed, err)
			}
			if diff := cmp.Diff("Include \""+dir+"/ssh_config\"\n"+before, read(t, file)); diff != "" {
				t.Error(diff)
			}
			if changed, err := Include(file, dir); err != nil || changed {
				t.Errorf("a second time changed the file: %v, %v", changed, err)
			}
			if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o640 {
				t.Errorf("the permissions are %v, %v", st.Mode(), err)
			}
			if changed, err := Exclude(file, dir); err != nil || !changed {
				t.Fatal(changed, err)
			}
			if diff := cmp.Diff(before, read(t, file)); diff != "" {
				t.Error(diff)
			}
			if changed, err := Exclude(file, dir); err != nil || changed {
				t.Errorf("nothing was there to take: %v, %v", changed, err)
			}
			if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
				t.Errorf("other files were left: %v, %v", left, err)
			}
		})
	}
}

func TestIncludeMakesAFileThatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, ".ssh", "config")
	if changed, err := Exclude(file, dir); err != nil || changed {
		t.Fatal(changed, err)
	}
	if _, err := Include(file, dir); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, st.Mode(), err)
		}
	}
	if _, err := Exclude(file, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty file stayed: %v", err)
	}
}

// A line that stands below a Host counts for that host alone, so it moves.
func TestIncludeMovesUp(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "config")
	line := "Include \"" + dir + "/ssh_config\"\n"
	put(t, file, "Host x\n  "+line+"  Port 7\n", 0o600)
	if _, err := Include(file, dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(line+"Host x\n  Port 7\n", read(t, file)); diff != "" {
		t.Error(diff)
	}
}

func TestIncludeFollowsLinks(t *testing.T) {
	dir, files := t.TempDir(), t.TempDir()
	link := filepath.Join(files, "config")
	for path, to := range map[string]string{link: "second", filepath.Join(files, "second"): filepath.Join(files, "dotfiles")} {
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	for _, before := range []string{"", "Host *\n"} { // a dangling link first
		if before != "" {
			put(t, filepath.Join(files, "dotfiles"), before, 0o644)
		}
		if _, err := Include(link, dir); err != nil {
			t.Fatal(err)
		}
		if to, err := os.Readlink(link); err != nil || to != "second" {
			t.Errorf("the link is %q, %v", to, err)
		}
		if got := read(t, filepath.Join(files, "dotfiles")); !strings.HasPrefix(got, "Include") || !strings.HasSuffix(got, before) {
			t.Errorf("the file behind the link says %q", got)
		}
		if _, err := Exclude(link, dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(files, "loop"), filepath.Join(files, "loop")); err != nil {
		t.Fatal(err)
	}
	if _, err := Include(filepath.Join(files, "loop"), dir); err == nil {
		t.Error("a loop of links was no error")
	}
}

// OpenSSH itself reads what was written, with paths that need quotes.
func TestOpenSSHReadsTheFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a folder with 100% it's")
	f := &Files{Dir: dir, Program: "/opt/my tools/hoop", Broker: "https://b", HostCAs: []string{aKey}}
	if f.Current() {
		t.Error("what was never written is current")
	}
	if err := f.Write(); err != nil {
		t.Fatal(err)
	}
	if !f.Current() {
		t.Error("what was just written is not current")
	}
	if other := (&Files{Dir: dir, Program: f.Program, Broker: "https://other"}); other.Current() {
		t.Error("the authority of another broker is current")
	}
	user := filepath.Join(t.TempDir(), "config")
	put(t, user, "Host *\n  User somebody\n  ProxyCommand wrong\n  ServerAliveInterval 1\n  StrictHostKeyChecking no\n  ForwardAgent yes\n", 0o600)
	if _, err := Include(user, dir); err != nil {
		t.Fatal(err)
	}
	for _, config := range []string{user, AlonePath(dir)} {
		got := dump(t, config, "web-1.hoop")
		for _, want := range []string{
			"user hoop", "hostname web-1.hoop", "stricthostkeychecking true", "serveraliveinterval 0", "preferredauthentications none",
			"userknownhostsfile " + dir + "/known_hosts",
			`proxycommand '/opt/my tools/hoop' 'ssh-proxy' '--config-dir' '` + strings.ReplaceAll(strings.ReplaceAll(dir, "%", "%%"), "'", `'\''`) + `' -- '%h'`,
		} {
			if !strings.Contains(got, want+"\n") && !strings.Contains(strings.ReplaceAll(got, "%%", "%"), want+"\n") {
				t.Errorf("%s lacks %q:\n%s", config, want, got)
			}
		}
	}
	if got := dump(t, user, "web-1.example.com"); !strings.Contains(got, "user somebody\n") || strings.Contains(got, "ssh-proxy") {
		t.Errorf("another host is affected:\n%s", got)
	}
	if got := dump(t, user, "web-1.hoop"); !strings.Contains(got, "forwardagent yes\n") {
		t.Errorf("the user's own setting is lost:\n%s", got)
	}
}

// dump is what ssh -G makes of a configuration.
func dump(t *testing.T, config, host string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ssh", "-F", config, "-G", host).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestPathsThatNoConfigurationCanHold(t *testing.T) {
	for _, dir := range []string{"/a\"b", "/a\nHost *", "/a${HOME}"} {
		if _, err := (&Files{Dir: dir, Program: "/hoop"}).Config(); err == nil {
			t.Errorf("%q was taken", dir)
		}
	}
}

func TestWriteWantsAnAuthority(t *testing.T) {
	if err := (&Files{Dir: t.TempDir(), Program: "/hoop"}).Write(); err == nil {
		t.Error("a known_hosts without authority was written")
	}
}
