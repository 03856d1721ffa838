package signaling

import (
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// begin starts the pulse of a session: the pings, and the limits of how long its
// client may be silent.
func (s *sender) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return
	}
	s.ping = s.cfg.PingEvery
	s.pulse = time.AfterFunc(min(s.cfg.PingEvery, s.cfg.HelloWait, s.cfg.PongWait), s.beat)
}

// beat does what is due by the clock, in the timer's goroutine: it ends a session
// whose client is silent, or pings it.
func (s *sender) beat() {
	s.mu.Lock()
	if s.ended.Load() {
		s.mu.Unlock()
		return
	}
	// The session counts as running itself until it has ended, so that Shutdown
	// can't have stopped waiting.
	s.session.server.running.Add(1)
	ping := s.ping
	s.mu.Unlock()
	defer s.session.server.running.Done()

	now := time.Since(s.session.start)
	silence := time.Duration(s.session.in.heard.Load()) + s.cfg.PongWait
	greeted := s.session.greeted.Load()
	switch {
	case !greeted && now >= s.cfg.HelloWait:
		s.finish(wire.GoodbyeTimeout)
		return
	case now >= silence:
		s.abort() // it says nothing any more, or does not read its pongs
		return
	case now >= ping:
		if s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.cfg.WriteWait)) != nil {
			if !s.stopped() {
				s.abort()
			}
			return
		}
		ping = now + s.cfg.PingEvery
	}
	next := min(ping, silence)
	if !greeted {
		next = min(next, s.cfg.HelloWait)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ping = ping
	if !s.ended.Load() {
		s.pulse.Reset(next - now)
	}
}
