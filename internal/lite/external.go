package lite

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// External is an ICE agent of another library that shares the server's port. The
// server finds its datagrams and leaves the rest to it: answers, consent and DTLS.
type External struct {
	server  *Server
	route   route
	first   *iceSession // the only one that the agent knows
	receive func(b []byte, from netip.AddrPort)

	received  atomic.Uint64 // bytes
	nominated atomic.Bool   // its client has
	restarted atomic.Bool   // its client has, so that the server answers its checks

	mu      sync.Mutex
	sent    uint64         // bytes, to addresses that are not proven
	flights netip.AddrPort // where the flights of the handshake go
	moved   bool           // they went to different addresses
	done    bool           // the handshake has completed
	proven  netip.AddrPort
	asked   path // the latest that was sent a check of the server's own
}

// deliver hands the agent a datagram.
func (x *External) deliver(b []byte, from netip.AddrPort) {
	x.received.Add(uint64(len(b)))
	x.receive(b, from)
}

// MaySend reports whether the agent may send a datagram to an address, and counts it:
// anything, if the address is proven; otherwise less than maxAmplification times the
// bytes of all that came in for the agent. Answers to checks count, but are never held
// back: they are not longer than the checks.
func (x *External) MaySend(b []byte, to netip.AddrPort) bool {
	k, to := classify(b), unmap(to)
	if k == kindSTUN && x.restarted.Load() {
		return false // an answer to a check that the server has answered
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := uint64(len(b)); to != x.proven {
		if k != kindSTUN && x.sent+n >= maxAmplification*x.received.Load() {
			return false
		}
		x.sent += n
	}
	if k == kindDTLS && !x.done {
		x.flights, x.moved = to, x.moved || x.flights.IsValid() && x.flights != to
	}
	return true
}

// HandshakeDone says that the agent's handshake has completed: the address that all
// its flights went to has answered them.
func (x *External) HandshakeDone() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.done = true; x.flights.IsValid() && !x.moved {
		x.proven = x.flights
	}
}

// Answered is told what the agent has sent to an address. An answer to the check of a
// client that has nominated no pair yet is followed by a check of the server's own, as
// for a peer: an ICE-lite agent sends none.
func (x *External) Answered(b []byte, to netip.AddrPort, by Sender) {
	var m stunMessage
	if x.nominated.Load() || classify(b) != kindSTUN || !m.parse(b) || m.kind != bindingSuccess {
		return
	}
	to = unmap(to)
	id, ok := x.challengeTo(to)
	if !ok || !x.server.demux.addChallenge(&x.route, id) {
		return
	}
	h := x.server.hmacs.get()
	by.Send(x.first.appendChallenge(h.out[:0], h, id), to)
	x.server.hmacs.put(h)
}

// challengeTo counts a check of the server's own to an address, and returns its
// identifier, unless the address is proven, may not get more, or shakes hands.
func (x *External) challengeTo(to netip.AddrPort) (transactionID, bool) {
	n := uint64(x.first.challengeSize())
	x.mu.Lock()
	defer x.mu.Unlock()
	if to == x.proven || x.flights.IsValid() || x.first.remote.Pwd == "" || x.sent+n >= maxAmplification*x.received.Load() {
		return transactionID{}, false
	}
	x.sent += n
	if x.asked.addr != to {
		x.asked = newPath(to, x.first)
	}
	return x.asked.challenge, true
}

// handleProof takes a response to a check of the server's own. It reports whether it
// proves the address it came from.
func (x *External) handleProof(m *stunMessage, h *stunHMAC, from netip.AddrPort) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.asked.addr != from || x.asked.challenge != m.transaction || x.proven == from || !m.authentic(h, x.first.remote.Pwd) {
		return false
	}
	x.proven = from
	return true
}

// AddExternal lets an external agent with these credentials have its datagrams:
// ICE checks that name it, and whatever comes from an address that an authentic
// check for it came from, of which the latest four are known. Checks from these
// addresses are passed on as they come; the agent has to authenticate them.
//
// remote is its client's side; without its password the server sends no checks.
//
// receive is called from the goroutines that call Handle. It must not block, nor
// keep b or call the server.
func (s *Server) AddExternal(local, remote sdp.Credentials, receive func(b []byte, from netip.AddrPort)) (*External, error) {
	if err := local.Validate(); err != nil {
		return nil, fmt.Errorf("local credentials: %w", err)
	}
	if receive == nil {
		return nil, errors.New("an external agent needs a receiver for its datagrams")
	}
	x := &External{server: s, receive: receive}
	x.route.external = x
	x.first = &iceSession{route: &x.route, local: local, remote: remote}
	if err := s.demux.add(x.first); err != nil {
		return nil, err
	}
	return x, nil
}

// passCheck passes a check of the agent's own session on to it, which answers it. A check
// from a new address has to be authentic.
func (s *Server) passCheck(m *stunMessage, named *iceSession, bound *route, from netip.AddrPort, now time.Time) bool {
	x := named.route.external
	if named.route != bound {
		h := s.hmacs.get()
		authentic := m.authentic(h, named.local.Pwd)
		s.hmacs.put(h)
		if !authentic {
			s.unauthentic.Add(1)
			return false
		}
		if taken(bound, from, now) || !s.demux.bind(named.route, from) {
			return false // an ear's, or removed meanwhile
		}
	}
	if m.useCandidate {
		x.nominated.Store(true)
	}
	x.deliver(m.raw, from)
	return true
}

// answerForExternal answers a check of a session that a restart has begun. Once one has
// nominated an address, the agent gets them, too, so that it knows where its client is.
func (s *Server) answerForExternal(m *stunMessage, named *iceSession, begins bool, bound *route, from netip.AddrPort, now time.Time, reply Sender) bool {
	h := s.hmacs.get()
	defer s.hmacs.put(h)
	x := named.route.external
	if !s.authenticate(m, named, h, from, reply) {
		return false
	}
	if named.route != bound && (taken(bound, from, now) || !s.demux.bind(named.route, from)) {
		return false // an ear's, or removed meanwhile
	}
	if begins && m.useCandidate {
		x.nominated.Store(true)
		x.restarted.Store(true)
		s.demux.confirm(named)
		begins = false
	}
	answer := appendBindingSuccess(h.out[:0], h, m.transaction, from, named.local.Pwd)
	x.count(len(m.raw), len(answer), from)
	reply.Send(answer, from)
	if begins {
		return false
	}
	x.receive(m.appendReadressed(h.out[:0], h, x.first), from)
	return true
}

// count counts a check that the server has answered.
func (x *External) count(received, sent int, to netip.AddrPort) {
	x.received.Add(uint64(received))
	x.mu.Lock()
	defer x.mu.Unlock()
	if to != x.proven {
		x.sent += uint64(sent)
	}
}

// Remove forgets the agent and its addresses. A datagram may still be on its way
// to receive when Remove returns. It may be called more than once.
func (x *External) Remove() { x.server.demux.remove(&x.route) }
