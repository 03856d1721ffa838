package ws

import (
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// startKeepalive starts the timer that sends pings and ends a connection whose
// client is silent.
func (s *sender) startKeepalive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return
	}
	s.nextPing = s.cfg.PingEvery
	s.keepalive = time.AfterFunc(min(s.cfg.PingEvery, s.cfg.HelloWait, s.cfg.PongWait), s.checkKeepalive)
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
		ping = now + s.cfg.PingEvery
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
