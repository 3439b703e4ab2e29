package mask

import (
	"slices"
	"strings"
	"sync"
)

// nameKind says what a name such as DB_PASSWORD announces.
type nameKind uint8

const (
	nameOther    nameKind = iota
	namePassword          // chosen by people: almost any value counts
	nameToken             // drawn by lot: the value must look like it
	nameKey               // a token, unless it is a key that looks something up
	nameStage             // which stage or copy it is of; the rest of the name counts
)

// nameEndings lists how names end, in small letters.
func nameEndings() map[nameKind]string {
	return map[nameKind]string{
		nameOther:    `bypass compass`,
		namePassword: `password passwd passphrase passcode pwd pass kennwort passwort _pw -pw`,
		nameToken: `secret token apikey accesskey secretkey privatekey accountkey authkey masterkey
			sharedkey signingkey encryptionkey consumerkey session sessionid session_id credential credentials`,
		nameKey:   `_key -key .key`,
		nameStage: `_prod _production _staging _stage _dev _test _base _live _value _plain`,
	}
}

// nameEnding is one of them.
type nameEnding struct {
	text string
	kind nameKind
}

// endings has them by their last letter, the longer ones first.
type endings [32][]nameEnding

// sharedEndings never changes.
var sharedEndings = sync.OnceValue(func() *endings {
	var e endings
	for kind, texts := range nameEndings() {
		for _, text := range strings.Fields(texts) {
			last := text[len(text)-1] & 31
			e[last] = append(e[last], nameEnding{text, kind})
		}
	}
	for i := range e {
		slices.SortFunc(e[i], func(a, b nameEnding) int { return len(b.text) - len(a.text) })
	}
	return &e
})

// of gives the ending of a name in small letters; its text is empty where
// there is none.
func (e *endings) of(low []byte) nameEnding {
	if len(low) == 0 {
		return nameEnding{}
	}
	for _, n := range e[low[len(low)-1]&31] {
		if hasSuffix(low, n.text) {
			return n
		}
	}
	return nameEnding{}
}

// kindOfName judges a name by how it ends: nameOther, namePassword or
// nameToken.
func kindOfName(name []byte) nameKind {
	var buf [maxName]byte
	if len(name) > len(buf) {
		name = name[len(name)-len(buf):]
	}
	low := lowerAll(buf[:copy(buf[:], name)])
	all := sharedEndings()
	for {
		low = trimCopy(low)
		e := all.of(low)
		low = low[:len(low)-len(e.text)]
		switch e.kind {
		case nameStage:
		case nameKey:
			return kindOfKey(low)
		default:
			return e.kind
		}
	}
}

// trimCopy cuts what counts copies of a name: _2.
func trimCopy(low []byte) []byte {
	n := len(low)
	for n > 0 && (isDigit(low[n-1]) || low[n-1] == '_' || low[n-1] == '.' || low[n-1] == '-') {
		n--
	}
	return low[:n]
}

// kindOfKey tells keys that open something from those that look something up.
func kindOfKey(owner []byte) nameKind {
	for _, end := range [...]string{"public", "primary", "foreign", "partition", "cache", "sort", "row",
		"routing", "idempotency", "object", "index", "unique", "dedup", "host", "map", "group", "shard",
		"hash", "range", "lookup", "s3", "file", "i18n", "message", "storage", "lock", "config", "websocket"} {
		if hasSuffix(owner, end) {
			return nameOther
		}
	}
	return nameToken
}

func hasSuffix(b []byte, end string) bool {
	return len(b) >= len(end) && string(b[len(b)-len(end):]) == end
}
