package issuer

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// passwordHash is an argon2id hash with its parameters, memory in KiB.
type passwordHash struct {
	memory, passes uint32
	lanes          uint8
	salt, sum      []byte
}

// New hashes take 19 MiB and two passes, OWASP's first choice for argon2id.
const (
	hashMemory = 19 << 10
	hashPasses = 2
	hashLanes  = 1
	maxMemory  = 256 << 10
	maxPasses  = 16
	maxLanes   = 16
	// maxPassword bounds what a form may make us hash, in bytes.
	maxPassword = 1024
)

// HashPassword makes the argon2id hash that stands in the users file, in the
// PHC form $argon2id$v=19$m=…,t=…,p=…$salt$hash. Passwords have 8 to 1024 bytes.
func HashPassword(password string) (string, error) {
	if len(password) < 8 || len(password) > maxPassword {
		return "", errors.New("a password has 8 to 1024 bytes")
	}
	h := passwordHash{memory: hashMemory, passes: hashPasses, lanes: hashLanes, salt: make([]byte, 16)}
	rand.Read(h.salt) // never fails, crypto/rand
	h.sum = h.compute(password, 32)
	return h.String(), nil
}

func (h passwordHash) compute(password string, size uint32) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, size)
}

func (h passwordHash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.memory, h.passes, h.lanes, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

var errHash = errors.New("not an argon2id hash within the limits (m ≤ 262144, t ≤ 16, p ≤ 16)")

func parseHash(text string) (passwordHash, error) {
	var h passwordHash
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); err != nil || n != 3 {
		return h, errHash
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	sum, sumErr := base64.RawStdEncoding.DecodeString(parts[5])
	h.salt, h.sum = salt, sum
	// Comparing the text refuses what Sscanf lets pass after a number.
	if saltErr != nil || sumErr != nil || !h.withinLimits() || h.String() != text {
		return h, errHash
	}
	return h, nil
}

// withinLimits keeps a users file from making a sign-in cost gigabytes.
func (h passwordHash) withinLimits() bool {
	return h.memory >= 8*uint32(h.lanes) && h.memory <= maxMemory &&
		h.passes >= 1 && h.passes <= maxPasses && h.lanes >= 1 && h.lanes <= maxLanes &&
		len(h.salt) >= 8 && len(h.salt) <= 64 && len(h.sum) >= 16 && len(h.sum) <= 64
}

func (h passwordHash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.compute(password, uint32(len(h.sum))), h.sum) == 1
}

// verifier checks passwords, a few at a time: each check takes megabytes.
type verifier struct {
	usersFile string
	slots     chan struct{}
	dummy     passwordHash
}

func newVerifier(usersFile string) *verifier {
	return &verifier{
		usersFile: usersFile,
		slots:     make(chan struct{}, 2),
		dummy: passwordHash{memory: hashMemory, passes: hashPasses, lanes: hashLanes,
			salt: make([]byte, 16), sum: make([]byte, 32)},
	}
}

var errWrongPassword = errors.New("name or password is wrong")

// verify finds the user and checks the password. Somebody unknown or disabled
// costs the same time as a wrong password and answers the same.
func (v *verifier) verify(ctx context.Context, login, password string) (User, error) {
	u, err := findUser(v.usersFile, login)
	if err != nil && !errors.Is(err, ErrNoUser) {
		return User{}, err
	}
	hash := v.dummy
	known := err == nil && !u.Disabled
	if known {
		if hash, err = parseHash(u.Password); err != nil {
			return User{}, err
		}
	}
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return User{}, ctx.Err()
	}
	if len(password) > maxPassword || !hash.matches(password) || !known {
		return User{}, errWrongPassword
	}
	return u, nil
}
