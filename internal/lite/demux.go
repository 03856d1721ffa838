package lite

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
)

// maxAddresses is how many addresses a peer may be reached from at a time: a
// browser checks from every interface that it has.
const maxAddresses = 4

// demux finds the peer or the external agent that a datagram is for: an ICE check
// by the user name fragment in it, everything else by its source address. An
// address is bound to whoever an authentic check from there has named, so that a
// client may have one session after another on one socket, and so that whoever
// has learned or guessed a fragment, without its password, cannot push out the
// client's own addresses. Its methods may be called from any goroutine.
type demux struct {
	mu      sync.RWMutex // taken after a peer's, never before
	closed  bool
	byUfrag map[string]*iceSession
	byAddr  map[netip.AddrPort]*route
	// challenges are the server's own checks that are not answered.
	challenges map[transactionID]*route
}

// route is an entry of the demultiplexer.
type route struct {
	peer     *Peer     // either this
	external *External // or this

	// The demultiplexer's lock guards these.
	removed bool
	session *iceSession
	// next is the session that a restart has begun, until a check of it nominates an
	// address; nil: none.
	next      *iceSession
	addresses []netip.AddrPort // the oldest first
	// challenges are the latest of the server's own checks: of the address that the
	// peer has, and of one that it wants.
	challenges [2]transactionID
}

func newDemux() demux {
	return demux{byUfrag: map[string]*iceSession{}, byAddr: map[netip.AddrPort]*route{}, challenges: map[transactionID]*route{}}
}

// add makes a route known by the user name fragment of its first session.
func (d *demux) add(first *iceSession) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fmt.Errorf("server: %w", ErrClosed)
	}
	if d.byUfrag[first.local.Ufrag] != nil {
		return fmt.Errorf("ICE user name fragment %q is in use", first.local.Ufrag)
	}
	first.route.session = first
	d.byUfrag[first.local.Ufrag] = first
	return nil
}

// lookup finds the route that an address is bound to; nil: none.
func (d *demux) lookup(from netip.AddrPort) *route {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.byAddr[from]
}

// lookupCheck finds the session that an ICE check names, whether it is one that a restart
// has begun, and the route that the check's source address is bound to; nil: none.
func (d *demux) lookupCheck(ufrag []byte, from netip.AddrPort) (named *iceSession, begins bool, bound *route) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	named = d.byUfrag[string(ufrag)]
	return named, named != nil && named.route.next == named, d.byAddr[from]
}

// bind makes an address a route's, of which it keeps the latest few. It returns
// false if the route has been removed.
func (d *demux) bind(r *route, from netip.AddrPort) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.removed {
		return false
	}
	if i := slices.Index(r.addresses, from); i >= 0 { // another's in between
		r.addresses = slices.Delete(r.addresses, i, i+1)
	} else if len(r.addresses) == maxAddresses {
		d.unbind(r, r.addresses[0])
		r.addresses = slices.Delete(r.addresses, 0, 1)
	}
	r.addresses = append(r.addresses, from)
	d.byAddr[from] = r
	return true
}

// unbind forgets an address, unless another route has it. d.mu is held.
func (d *demux) unbind(r *route, a netip.AddrPort) {
	if d.byAddr[a] == r {
		delete(d.byAddr, a)
	}
}

// remove forgets a route and its addresses. It returns false if that was done
// before.
func (d *demux) remove(r *route) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.removed {
		return false
	}
	r.removed = true
	delete(d.byUfrag, r.session.local.Ufrag)
	if r.next != nil {
		delete(d.byUfrag, r.next.local.Ufrag)
	}
	for _, a := range r.addresses {
		d.unbind(r, a)
	}
	r.addresses = nil
	for _, id := range r.challenges {
		delete(d.challenges, id)
	}
	return true
}

// addChallenge notes a check of the server's own, in place of the last but one. It
// returns false if the route has been removed.
func (d *demux) addChallenge(r *route, id transactionID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case r.removed:
		return false
	case d.challenges[id] == r:
		return true
	}
	delete(d.challenges, r.challenges[0])
	r.challenges[0], r.challenges[1] = r.challenges[1], id
	d.challenges[id] = r
	return true
}

// challenged finds the route that a check of the server's own was for; nil: none.
func (d *demux) challenged(id transactionID) *route {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.challenges[id]
}

// removeChallenge forgets a check that is answered.
func (d *demux) removeChallenge(id transactionID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.challenges, id)
}

// appendPeers appends all peers to a list.
func (d *demux) appendPeers(list []*Peer) []*Peer {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, s := range d.byUfrag {
		if s.route.peer != nil && s.route.session == s {
			list = append(list, s.route.peer)
		}
	}
	return list
}

// size returns how many routes there are, and how many addresses are bound.
func (d *demux) size() (routes, addresses int) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, s := range d.byUfrag {
		if s.route.session == s {
			routes++
		}
	}
	return routes, len(d.byAddr)
}

// close lets no route in any more.
func (d *demux) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// Sender sends a datagram. It may not keep b after it returns, nor block for
// long, nor call back into the endpoint; what cannot be sent is lost, as
// datagrams are. Any goroutine may call it.
type Sender interface {
	Send(b []byte, to netip.AddrPort)
}

// SenderFunc is a function that is a Sender.
type SenderFunc func(b []byte, to netip.AddrPort)

// Send implements Sender.
func (f SenderFunc) Send(b []byte, to netip.AddrPort) { f(b, to) }

// datagramKind is the protocol of a datagram.
type datagramKind uint8

const (
	kindOther datagramKind = iota
	kindSTUN
	kindDTLS
	kindRTP
	kindRTCP
)

// classify classifies a datagram by its first byte (RFC 7983, section 7), and
// RTCP from RTP by the second (RFC 5761, section 4).
func classify(b []byte) datagramKind {
	switch {
	case len(b) < 2:
		return kindOther
	case b[0] < 4:
		return kindSTUN
	case b[0] >= 20 && b[0] < 64:
		return kindDTLS
	case b[0] >= 128 && b[0] < 192:
		if b[1] >= 192 && b[1] < 224 {
			return kindRTCP
		}
		return kindRTP
	}
	return kindOther
}

// IsDTLS reports whether a datagram is DTLS.
func IsDTLS(b []byte) bool { return classify(b) == kindDTLS }

// IsPeriodic reports whether a datagram is of those that endpoints send by the
// clock, STUN or RTCP, so that nobody waits for it.
func IsPeriodic(b []byte) bool {
	k := classify(b)
	return k == kindSTUN || k == kindRTCP
}

// unmap makes an IPv4 address look the same whatever socket it came from. One with a zone
// is the address of a TCP connection, which is another.
func unmap(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Zone() != "" {
		return a
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
