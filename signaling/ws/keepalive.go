package ws

import (
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// pingsTogether is into how many moments the pings of PingEvery are gathered. A timer that
// ends by itself wakes a thread, and so does the answer to its ping: for thousands of silent clients
// that is most of what they cost.
const pingsTogether = 128

// gathered is when a ping is sent that is due at a time, counted from Conn.opened: a little
// sooner, with those of other connections.
func (s *sender) gathered(due time.Duration) time.Duration {
	every := s.cfg.PingEvery / pingsTogether
	if every <= 0 {
		return due
	}
	begun := s.conn.opened.Sub(s.conn.server.begun)
	return (begun+due)/every*every - begun
}

// startKeepalive starts the timer that sends pings and ends a connection whose
// client is silent.
func (s *sender) startKeepalive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return
	}
	s.nextPing = s.gathered(s.cfg.PingEvery)
	s.keepalive = time.AfterFunc(min(s.nextPing, s.cfg.HelloWait, s.cfg.PongWait), s.checkKeepalive)
}

// checkKeepalive does what is due: it ends the connection of a silent client, or
// pings it. It runs in the timer's goroutine.
func (s *sender) checkKeepalive() {
	server := s.conn.server
	s.mu.Lock()
	if s.ended.Load() {
		s.mu.Unlock()
		return
	}
	// The connection has not ended and is itself counted, so Shutdown cannot have
	// stopped waiting.
	server.running.Add(1)
	ping := s.nextPing
	s.mu.Unlock()
	defer server.running.Done()

	now := time.Since(s.conn.opened)
	silenceEnds := time.Duration(s.conn.in.lastHeard.Load()) + s.cfg.PongWait
	established := s.conn.established.Load()
	switch {
	case !established && now >= s.cfg.HelloWait:
		s.finish(wire.GoodbyeTimeout)
		return
	case now >= silenceEnds:
		s.abort() // the client is gone, or does not read its pongs
		return
	case now >= ping:
		if s.socket.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.cfg.WriteWait)) != nil {
			if !s.stopped() {
				s.abort()
			}
			return
		}
		ping = s.gathered(now + s.cfg.PingEvery)
	}
	next := min(ping, silenceEnds)
	if !established {
		next = min(next, s.cfg.HelloWait)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextPing = ping
	if !s.ended.Load() {
		s.keepalive.Reset(next - now)
	}
}
