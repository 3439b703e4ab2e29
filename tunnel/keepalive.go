package tunnel

import (
	"errors"
	"time"
)

// drainTime is how long the keep-alive reads from a link that nobody else
// reads from: what has arrived is there at once.
const drainTime = 2 * time.Millisecond

// maxDrain is how many reads it makes.
const maxDrain = 256

var errSilent = errors.New("the peer has been silent for too long")

// keepalive tells a dead link from an idle one. The stream's lock guards it.
type keepalive struct {
	timer   *time.Timer
	closeBy time.Time // when a Close stops waiting for the peer
	heard   bool      // something arrived since the last tick
	wrote   bool      // something was sent since the last tick
	ping    bool      // a PING is due
	pong    bool      // a PONG is due
	probing bool      // the clock jumped: an answer is due soon
	silent  int       // ticks without a sign of life
	armed   time.Duration
	wall    time.Time // when the timer was set, without the monotonic clock, which stops in sleep
}

func (k *keepalive) start(s *Stream) {
	k.heard = true
	k.timer = time.AfterFunc(time.Hour, s.tick)
	k.arm(s.set.pingEvery)
}

func (k *keepalive) arm(d time.Duration) {
	k.armed = d
	k.wall = time.Now().Round(0)
	k.timer.Reset(d)
}

func (k *keepalive) fresh() {
	k.heard, k.silent, k.probing = true, 0, false
}

// due says which control frame is wanted, and that it will be sent.
func (k *keepalive) due() frameType {
	switch {
	case k.pong:
		k.pong = false
		return framePong
	case k.ping:
		k.ping = false
		return framePing
	}
	return 0
}

// dead draws the conclusion from what was heard since the last tick.
func (k *keepalive) dead() bool {
	if k.heard {
		k.silent, k.probing = 0, false
	} else {
		k.silent++
	}
	k.heard = false
	return k.probing || k.silent >= silentPings
}

// tick keeps the link alive. An application that does not read for minutes
// (its user is asked for an approval) must not look dead to the peer, so what
// arrived is taken into the inbox here.
func (s *Stream) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return
	}
	k := &s.keep
	next := s.set.pingEvery
	slept := time.Now().Round(0).Sub(k.wall) > k.armed+sleepJump
	s.drain()
	switch {
	case s.done:
		return
	case s.link == nil:
	case k.dead():
		s.broken(s.link, errSilent)
	case slept:
		k.probing, next = true, probeTimeout
		s.ping()
	case !k.wrote:
		s.ping()
	}
	k.wrote = false
	if !s.done {
		k.arm(next)
	}
}

func (s *Stream) ping() {
	s.keep.ping = true
	s.ackNow()
}

// drain takes what has arrived, at most a few windows of it: somebody who
// begins to read meanwhile shall do it without the detour over the inbox.
func (s *Stream) drain() {
	for range maxDrain {
		if s.link == nil || s.pumping != nobody || s.waiting > 0 {
			return
		}
		before, acked := s.received, s.out.acked
		s.pump(tickSide, nil)
		if l := s.link; l == nil || s.received == before && s.out.acked == acked && l.remain == 0 {
			return
		}
	}
}
