package issuer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// User is one person in the users file. Name is also the subject of their
// tokens: a name is for ever, and given out again it is the same person.
type User struct {
	Name     string   `yaml:"name"`
	FullName string   `yaml:"full_name,omitempty"`
	Email    string   `yaml:"email,omitempty"`
	Password string   `yaml:"password"` // an argon2id hash, see HashPassword
	Groups   []string `yaml:"groups,omitempty"`
	Disabled bool     `yaml:"disabled,omitempty"`
}

// ErrNoUser says that nobody has that name.
var ErrNoUser = errors.New("no such user")

type usersDocument struct {
	Users []User `yaml:"users"`
}

const usersHeader = "# People of hoop's embedded issuer. Passwords are argon2id hashes.\n"

// userName keeps names plain: they appear in tokens, in policy and in the audit log.
const userNamePattern = `^[a-z0-9][a-z0-9._-]{0,63}$`

// ReadUsers reads and checks the users file. Unknown keys, doubled names, other
// hashes than argon2id and a file that others may read or write are errors.
func ReadUsers(path string) ([]User, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the users file: %w", err)
	}
	defer f.Close()
	if err := checkPrivate(f); err != nil {
		return nil, err
	}
	var doc usersDocument
	if err := yaml.NewDecoder(f, yaml.Strict()).Decode(&doc); err != nil {
		return nil, fmt.Errorf("read the users file %s: %w", path, err)
	}
	return doc.Users, checkUsers(path, doc.Users)
}

// checkPrivate refuses a file that could leak hashes or be changed by others.
// Its group may read it, as a service's configuration often is.
func checkPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("look at the users file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&^0o640 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("the users file %s has mode %#o and holds password hashes: chmod 600 it", f.Name(), mode)
	}
	return nil
}

func checkUsers(path string, users []User) error {
	valid := regexp.MustCompile(userNamePattern)
	seen := map[string]bool{}
	for _, u := range users {
		if !valid.MatchString(u.Name) {
			return fmt.Errorf("%s: user name %q must match %s", path, u.Name, userNamePattern)
		}
		for _, key := range []string{u.Name, strings.ToLower(u.Email)} {
			if key != "" && seen[key] {
				return fmt.Errorf("%s: %q stands there twice", path, key)
			}
			seen[key] = true
		}
		if _, err := parseHash(u.Password); err != nil {
			return fmt.Errorf("%s: password of %q: %w", path, u.Name, err)
		}
	}
	return nil
}

// SetUser adds u to the users file, or replaces the user of that name. The file
// is made when it is missing and replaced as a whole, mode 0600.
func SetUser(path string, u User) error {
	users, err := ReadUsers(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	at := slices.IndexFunc(users, func(o User) bool { return o.Name == u.Name })
	if at < 0 {
		users = append(users, u)
	} else {
		users[at] = u
	}
	return writeUsers(path, users)
}

// RemoveUser takes a user out of the file, or answers ErrNoUser. Their refresh
// tokens stop working at once.
func RemoveUser(path, name string) error {
	users, err := ReadUsers(path)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(users), func(u User) bool { return u.Name == name })
	if len(left) == len(users) {
		return fmt.Errorf("%s: %w", name, ErrNoUser)
	}
	return writeUsers(path, left)
}

func writeUsers(path string, users []User) error {
	if err := checkUsers(path, users); err != nil {
		return err
	}
	body, err := yaml.Marshal(usersDocument{Users: users})
	if err != nil {
		return fmt.Errorf("write users as YAML: %w", err)
	}
	return replaceFile(path, append([]byte(usersHeader), body...))
}

// replaceFile swaps the file in one step: a reader sees the old or the new one.
func replaceFile(path string, body []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".users-*") // 0600
	if err != nil {
		return fmt.Errorf("write beside %s: %w", path, err)
	}
	_, err = bytes.NewReader(body).WriteTo(tmp)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}

// findUser finds by name or e-mail address, whatever their case.
func findUser(path, login string) (User, error) {
	users, err := ReadUsers(path)
	if err != nil {
		return User{}, err
	}
	login = strings.ToLower(strings.TrimSpace(login))
	for _, u := range users {
		if login != "" && (u.Name == login || strings.ToLower(u.Email) == login) {
			return u, nil
		}
	}
	return User{}, ErrNoUser
}
