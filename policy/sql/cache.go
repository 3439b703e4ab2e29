package sql

import (
	"hash/maphash"
	"sync"
)

// cache keeps values by text, in sixteen shards so that sessions seldom wait
// for each other. Each shard forgets what was not used for longest once its
// share of the bytes is full. Texts are compared whole, never by hash alone.
type cache[V any] struct {
	seed   maphash.Seed
	shards [16]shard[V]
}

type shard[V any] struct {
	mu      sync.Mutex
	entries map[string]*entry[V]
	first   entry[V] // a ring: first.next was used last, first.prev longest ago
	bytes   int
	most    int
	// asked remembers some texts that were looked for lately, by hash.
	asked [256]uint64
}

type entry[V any] struct {
	key        string
	value      V
	bytes      int
	next, prev *entry[V]
}

func newCache[V any](bytes int) *cache[V] {
	c := &cache[V]{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.entries = map[string]*entry[V]{}
		s.first.next, s.first.prev = &s.first, &s.first
		s.most = bytes / len(c.shards)
	}
	return c
}

func (c *cache[V]) shard(hash uint64) *shard[V] { return &c.shards[hash>>60] }

// get finds a value by text.
func (c *cache[V]) get(key string) (v V, ok bool) {
	s := c.shard(maphash.String(c.seed, key))
	s.mu.Lock()
	e, ok := s.entries[key]
	if ok {
		s.touch(e)
		v = e.value
	}
	s.mu.Unlock()
	return v, ok
}

// getBytes is get for a key that is not a string yet; it does not allocate.
func (c *cache[V]) getBytes(key []byte) (v V, ok bool) {
	s := c.shard(maphash.Bytes(c.seed, key))
	s.mu.Lock()
	e, ok := s.entries[string(key)]
	if ok {
		s.touch(e)
		v = e.value
	}
	s.mu.Unlock()
	return v, ok
}

// again reports whether the key was asked about lately, and remembers that it
// was now. It may err in both directions.
func (c *cache[V]) again(key string) bool {
	hash := maphash.String(c.seed, key)
	s := c.shard(hash)
	s.mu.Lock()
	slot := &s.asked[hash%uint64(len(s.asked))]
	seen := *slot == hash
	*slot = hash
	s.mu.Unlock()
	return seen
}

// put keeps a value; bytes is what it takes, the key included.
func (c *cache[V]) put(key string, v V, bytes int) {
	s := c.shard(maphash.String(c.seed, key))
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes > s.most/4 {
		return // one text must not push out all others
	}
	if e, ok := s.entries[key]; ok {
		s.drop(e)
	}
	e := &entry[V]{key: key, value: v, bytes: bytes}
	s.entries[key] = e
	s.bytes += bytes
	s.link(e)
	for s.bytes > s.most {
		s.drop(s.first.prev)
	}
}

// size is the bytes held, as put was told.
func (c *cache[V]) size() int {
	n := 0
	for i := range c.shards {
		c.shards[i].mu.Lock()
		n += c.shards[i].bytes
		c.shards[i].mu.Unlock()
	}
	return n
}

func (s *shard[V]) touch(e *entry[V]) {
	if s.first.next == e {
		return
	}
	e.prev.next, e.next.prev = e.next, e.prev
	s.link(e)
}

func (s *shard[V]) link(e *entry[V]) {
	e.prev, e.next = &s.first, s.first.next
	s.first.next.prev = e
	s.first.next = e
}

func (s *shard[V]) drop(e *entry[V]) {
	e.prev.next, e.next.prev = e.next, e.prev
	delete(s.entries, e.key)
	s.bytes -= e.bytes
}
