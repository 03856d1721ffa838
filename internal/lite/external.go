package lite

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// External is an ICE agent of another library that shares the server's port. The
// server finds its datagrams and leaves the rest to it: answers, consent and DTLS.
type External struct {
	server  *Server
	route   route
	remote  sdp.Credentials // of its client; the password may be empty
	receive func(b []byte, from netip.AddrPort)

	received  atomic.Uint64 // bytes
	nominated atomic.Bool   // its client has

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
	by.Send(appendChallenge(h.out[:0], h, id, x.route.local.Ufrag, x.remote), to)
	x.server.hmacs.put(h)
}

// challengeTo counts a check of the server's own to an address, and returns its
// identifier, unless the address is proven, may not get more, or shakes hands.
func (x *External) challengeTo(to netip.AddrPort) (transactionID, bool) {
	n := uint64(challengeSize(x.route.local.Ufrag, x.remote.Ufrag))
	x.mu.Lock()
	defer x.mu.Unlock()
	if to == x.proven || x.flights.IsValid() || x.remote.Pwd == "" || x.sent+n >= maxAmplification*x.received.Load() {
		return transactionID{}, false
	}
	x.sent += n
	if x.asked.addr != to {
		x.asked = newPath(to)
	}
	return x.asked.challenge, true
}

// handleProof takes a response to a check of the server's own. It reports whether it
// proves the address it came from.
func (x *External) handleProof(m *stunMessage, h *stunHMAC, from netip.AddrPort) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.asked.addr != from || x.asked.challenge != m.transaction || x.proven == from || !m.authentic(h, x.remote.Pwd) {
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
	x := &External{server: s, remote: remote, receive: receive}
	x.route = route{local: local, external: x}
	if err := s.demux.add(&x.route); err != nil {
		return nil, err
	}
	return x, nil
}

// Remove forgets the agent and its addresses. A datagram may still be on its way
// to receive when Remove returns. It may be called more than once.
func (x *External) Remove() { x.server.demux.remove(&x.route) }
