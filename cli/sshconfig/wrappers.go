package sshconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// WriteWrappers writes programs named ssh, scp and sftp that run those of the
// system with hoop's configuration, and gives their folder. Whatever starts ssh
// by its name, such as rsync, git, sshfs or ansible, then does so too. find says
// where a program of the system is; one that is not there has no wrapper.
func (f *Files) WriteWrappers(find func(name string) (string, error)) (string, error) {
	dir := filepath.Join(f.Dir, "ssh-bin")
	if runtime.GOOS == "windows" {
		return dir, nil // nothing there would find a script by such a name
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for ssh's wrappers: %w", err)
	}
	ssh := filepath.Join(dir, "ssh")
	for _, name := range []string{"ssh", "scp", "sftp"} {
		path, err := find(name)
		if err != nil {
			continue
		}
		options := " -F " + shellWord(AlonePath(f.Dir))
		if name != "ssh" {
			options = " -S " + shellWord(ssh)
		}
		text := "#!/bin/sh\nexec " + shellWord(path) + options + ` "$@"` + "\n"
		if err := swap(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			return "", err
		}
	}
	return dir, nil
}
