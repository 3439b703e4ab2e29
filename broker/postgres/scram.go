package postgres

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgproto3/v2"
	"github.com/xdg-go/scram"
)

// The SASL mechanisms of PostgreSQL, RFC 7677; PLUS binds the login to the TLS
// channel with tls-server-end-point, RFC 5929 §4.
const (
	mechanismPlain = "SCRAM-SHA-256"
	mechanismPlus  = "SCRAM-SHA-256-PLUS"
)

// maxIterations bounds what a hostile server can make the broker compute:
// PostgreSQL's default is 4,096, about 1 ms.
const maxIterations = 1_000_000

// saslLogin is a SCRAM conversation in progress, RFC 5802 §3.
type saslLogin struct {
	conversation *scram.ClientConversation
	key          scramKey
	client       *scram.Client
	first        string // the server's first message
	valid        bool   // the server has proved that it knows the password
}

// beginSASL chooses the mechanism and sends the client's first message.
func (l *login) beginSASL(r *reader) error {
	var offered []string
	for {
		name := r.cstring()
		if r.err != nil || len(name) == 0 {
			break
		}
		offered = append(offered, string(name))
	}
	if err := r.done(); err != nil || l.sasl != nil {
		return unreachable("the target breaks the protocol", err)
	}
	if l.secret.Password == "" {
		return unreachable("the target asks for a password, and the credential has none", nil)
	}
	return l.firstSASL(offered)
}

func (l *login) firstSASL(offered []string) error {
	client, key, err := l.engine.scram.client(l.secret.User, l.secret.Password)
	if err != nil {
		return unreachable("the credential's password cannot be used", err)
	}
	l.sasl = &saslLogin{client: client, key: key}
	mechanism, err := l.sasl.choose(l, offered)
	if err != nil {
		return err
	}
	text, err := l.sasl.conversation.Step("")
	if err != nil {
		return unreachable("the login at the target failed", err)
	}
	return l.send(encode(nil, &pgproto3.SASLInitialResponse{AuthMechanism: mechanism, Data: []byte(text)}))
}

// choose starts a conversation with channel binding where both sides can, and
// says that it could where only the server cannot, RFC 5802 §6.
func (sl *saslLogin) choose(l *login, offered []string) (string, error) {
	binding, err := channelBinding(l)
	plus, plain := slices.Contains(offered, mechanismPlus), slices.Contains(offered, mechanismPlain)
	switch {
	case plus && err == nil && binding.IsSupported():
		sl.conversation = sl.client.NewConversationWithChannelBinding(binding)
		return mechanismPlus, nil
	case plain && !plus && binding.IsSupported():
		sl.conversation = sl.client.NewConversationAdvertisingChannelBinding()
	case plain:
		sl.conversation = sl.client.NewConversation()
	default:
		return "", unreachable("the target offers no way to log in that hoop knows: "+strings.Join(offered, ", "), nil)
	}
	return mechanismPlain, nil
}

// channelBinding gives none without TLS, and an error for a certificate whose
// signature names no hash, such as Ed25519: RFC 5929 §4.1 leaves it undefined.
func channelBinding(l *login) (scram.ChannelBinding, error) {
	conn, ok := l.conn.(*tls.Conn)
	if !ok {
		return scram.ChannelBinding{}, nil
	}
	state := conn.ConnectionState()
	return scram.NewTLSServerEndpointBinding(&state)
}

// continueSASL takes the server's first and final messages.
func (l *login) continueSASL(code uint32, data []byte) error {
	sl := l.sasl
	if sl == nil || sl.valid || (code == authSASLFinal) == (sl.first == "") {
		return unreachable("the target breaks the protocol", errProtocol)
	}
	if code == authSASLContinue {
		if err := checkIterations(string(data)); err != nil {
			return unreachable("the login at the target failed", err)
		}
		sl.first = string(data)
	}
	text, err := sl.conversation.Step(string(data))
	if err != nil {
		return unreachable("the login at the target failed", err)
	}
	if code == authSASLContinue {
		return l.send(encode(nil, &pgproto3.SASLResponse{Data: []byte(text)}))
	}
	sl.valid = sl.conversation.Valid()
	if sl.valid {
		l.engine.scram.keep(sl)
	}
	return nil
}

// checkIterations reads i= of "r=…,s=…,i=…", RFC 5802 §5.1.
func checkIterations(first string) error {
	for attr := range strings.SplitSeq(first, ",") {
		if value, ok := strings.CutPrefix(attr, "i="); ok {
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > maxIterations {
				return fmt.Errorf("the server asks for %.20s iterations, more than %d is refused", value, maxIterations)
			}
			return nil
		}
	}
	return errors.New("the server's first message has no iteration count")
}

// saltOf gives salt and iterations, which the derived keys depend on.
func saltOf(first string) string {
	_, rest, _ := strings.Cut(first, ",")
	return rest
}

// scramCache keeps the clients that have logged in, with the keys that they
// derived: PBKDF2 costs about 1 ms. Its zero value is empty.
type scramCache struct {
	mu      sync.Mutex
	seed    [32]byte
	entries map[scramKey]scramEntry
}

// scramKey stands for a user and a password, which it does not reveal: it is
// a hash with a seed of this process.
type scramKey [sha256.Size]byte

type scramEntry struct {
	client *scram.Client
	salt   string // and iterations
}

const maxScramEntries = 1000

// client gives a client for a credential, one with derived keys where it can.
func (c *scramCache) client(user, password string) (*scram.Client, scramKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[scramKey]scramEntry{}
		_, _ = rand.Read(c.seed[:]) // never fails
	}
	key := c.key(user, password)
	if e, ok := c.entries[key]; ok {
		return e.client, key, nil
	}
	// The name in the message is empty: PostgreSQL takes that of the startup.
	client, err := scram.SHA256.NewClient("", password, "")
	if err != nil { // not valid for SASLprep: PostgreSQL then takes it as it is
		client, err = scram.SHA256.NewClientUnprepped("", password, "")
	}
	return client, key, err
}

func (c *scramCache) key(user, password string) scramKey {
	b := binary.BigEndian.AppendUint64(c.seed[:], uint64(len(user)))
	return sha256.Sum256(append(append(b, user...), password...))
}

// keep remembers a client that logged in. One whose salt has changed holds old
// keys besides the new: it is dropped, and the next login starts afresh.
func (c *scramCache) keep(sl *saslLogin) {
	salt := saltOf(sl.first)
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[sl.key]; ok && e.salt != salt {
		delete(c.entries, sl.key)
		return
	}
	if len(c.entries) >= maxScramEntries {
		clear(c.entries)
	}
	c.entries[sl.key] = scramEntry{sl.client, salt}
}
