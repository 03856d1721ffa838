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
	receive func(b []byte, from netip.AddrPort)

	received atomic.Uint64 // bytes

	mu      sync.Mutex
	sent    uint64         // bytes, to addresses that are not proven
	flights netip.AddrPort // where the flights of the handshake go
	moved   bool           // they went to different addresses
	proven  netip.AddrPort
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
	if to == x.proven {
		return true
	}
	n := uint64(len(b))
	if k != kindSTUN && x.sent+n >= maxAmplification*x.received.Load() {
		return false
	}
	x.sent += n
	if k == kindDTLS && x.proven == (netip.AddrPort{}) {
		x.flights, x.moved = to, x.moved || x.flights.IsValid() && x.flights != to
	}
	return true
}

// HandshakeDone says that the agent's handshake has completed: the address that all
// its flights went to has answered them.
func (x *External) HandshakeDone() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.moved {
		x.proven = x.flights
	}
}

// AddExternal lets an external agent with these credentials have its datagrams:
// ICE checks that name it, and whatever comes from an address that an authentic
// check for it came from, of which the latest four are known. Checks from these
// addresses are passed on as they come; the agent has to authenticate them.
//
// receive is called from the goroutines that call Handle. It must not block, nor
// keep b or call the server.
func (s *Server) AddExternal(local sdp.Credentials, receive func(b []byte, from netip.AddrPort)) (*External, error) {
	if err := local.Validate(); err != nil {
		return nil, fmt.Errorf("local credentials: %w", err)
	}
	if receive == nil {
		return nil, errors.New("an external agent needs a receiver for its datagrams")
	}
	x := &External{server: s, receive: receive}
	x.route = route{local: local, external: x}
	if err := s.demux.add(&x.route); err != nil {
		return nil, err
	}
	return x, nil
}

// Remove forgets the agent and its addresses. A datagram may still be on its way
// to receive when Remove returns. It may be called more than once.
func (x *External) Remove() { x.server.demux.remove(&x.route) }
