package lite

import (
	"bytes"
	"crypto/rand"
	"net/netip"
	"time"
)

// maxAmplification is how many bytes an address may get for each that came from it,
// at most, before it is proven: as in QUIC (RFC 9000, section 8).
const maxAmplification = 3

// path is an address of a peer. Anybody who knows the peer's password can write a
// check with the address of somebody else as its source. So an address counts only
// when it is proven: it has answered a check of the server's own, which it cannot
// have seen elsewhere (return routability), or a handshake was completed with it.
// Until then it gets less than maxAmplification times what came from it. The lock of
// its peer guards it.
type path struct {
	addr           netip.AddrPort
	session        *iceSession // of its latest check
	proven         bool
	nominated      bool
	challenged     bool
	challenge      transactionID // of the server's checks
	received, sent int           // bytes, until it is proven
}

func newPath(addr netip.AddrPort, session *iceSession) path {
	p := path{addr: addr}
	p.setSession(session)
	return p
}

// setSession has the address proven in another session than before.
func (p *path) setSession(session *iceSession) {
	p.session, p.challenged = session, false
	_, _ = rand.Read(p.challenge[:]) // never fails
}

// spend reports whether n more bytes may go to the address, with so many left, and
// counts them.
func (p *path) spend(n, left int) bool {
	switch {
	case p.proven:
		return true
	case p.sent+n+left >= maxAmplification*p.received:
		return false
	}
	p.sent += n
	return true
}

// challenge is a check of the server's own: to prove an address, and to give a client
// cause to nominate (see handleCheck).
type challenge struct {
	id    transactionID
	send  bool
	first bool // before the answer to the client's check
}

// challengeTo returns the check that is to go to an address now, if it needs one and
// may get it. p.mu is held.
func (p *Peer) challengeTo(at *path) challenge {
	if at.proven || at.session.remote.Pwd == "" || !at.spend(at.session.challengeSize(), 0) {
		return challenge{}
	}
	at.challenged = true
	return challenge{id: at.challenge, send: true}
}

// challengeSize is the length of what appendChallenge appends.
func (s *iceSession) challengeSize() int {
	username := (len(s.remote.Ufrag) + 1 + len(s.local.Ufrag) + 3) &^ 3
	return stunHeader + 4 + username + (4 + 8) + (4 + 4) + (4 + 20) + (4 + 4)
}

// appendChallenge writes a check of the server's own.
func (s *iceSession) appendChallenge(b []byte, h *stunHMAC, id transactionID) []byte {
	c := check{id: id, to: s.remote.Ufrag, from: s.local.Ufrag, key: s.remote.Pwd, priority: hostPriority}
	return c.append(b, h) // its tie-breaker is zero: the client controls
}

// handleCheck takes an authenticated check of n bytes, whose answer has reply bytes.
// The address is the one that the controlling side nominates last (RFC 8445, section
// 8.1.1; RFC 8863 for one that nominates again), or any that checks if that one has
// fallen silent. The first is proven by the handshake at the latest, unless it is
// another's: then, as for each that comes later, handleCheck returns what proves it.
//
// It also returns it for a client that checks and does not nominate, until it shakes
// hands. Such a client waits for its next round of checks, unless a check from this
// side comes for a pair that it knows to work: pion/webrtc would wait 200 ms.
//
// moved says that the peer is to be reached elsewhere now.
func (p *Peer) handleCheck(session *iceSession, from netip.AddrPort, nominated, taken bool, n, reply int, now time.Time) (c challenge, moved bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return challenge{}, false
	}
	if now.After(p.lastSeen) {
		p.lastSeen = now
	}
	silent := now.Sub(p.addrChecked) > addressTimeout
	joins := p.handshake == nil && p.dtls == nil
	at := &p.current
	switch {
	case from == at.addr:
		p.addrChecked = now
	case !at.addr.IsValid(), !at.proven && (nominated || silent):
		if p.next.addr == from { // which it is known by already
			p.current, p.next = p.next, path{}
		} else {
			p.current = newPath(from, session)
		}
		if p.addrChecked = now; p.handshake != nil {
			p.handshake.moved = true
		}
	case !joins && (!at.proven || !nominated && !silent):
		return challenge{}, false
	default:
		at = &p.next
		if at.addr != from {
			*at = newPath(from, session)
		}
		at.nominated = at.nominated || nominated
	}
	if at.session != session && !at.proven {
		at.setSession(session)
	}
	at.received += n
	at.spend(reply, 0)
	switch {
	case at == &p.next && at.proven && (nominated || silent):
		p.current, p.next, p.addrChecked = p.next, path{}, now
		return challenge{}, true
	case at == &p.next || taken || joins && !nominated:
		c = p.challengeTo(at)
		// A client that moves, or has begun another session on its socket, may send
		// what needs the proof as soon as it has the answer.
		c.first = taken || !joins || nominated
	}
	return c, false
}

// handleProof takes a response to a check of the server's own. It reports whether it
// proves the address it came from.
func (p *Peer) handleProof(m *stunMessage, h *stunHMAC, from netip.AddrPort, now time.Time) bool {
	p.mu.Lock()
	at := &p.current
	if at.addr != from || at.challenge != m.transaction {
		at = &p.next
	}
	if p.closed || at.addr != from || at.challenge != m.transaction || at.proven || !m.authentic(h, at.session.remote.Pwd) {
		p.mu.Unlock()
		return false
	}
	at.proven = true
	if at == &p.next && (at.nominated || now.Sub(p.addrChecked) > addressTimeout) {
		p.current, p.next, p.addrChecked = p.next, path{}, now
	}
	held := p.held
	p.held = nil
	p.mu.Unlock()
	for _, b := range held {
		p.send(b, p.server.cfg.Send)
	}
	p.announce(nil)
	return true
}

// holds reports whether an address is proven to be the peer's, and checks came from
// there lately: checks for others that claim to come from there do not take it.
func (p *Peer) holds(from netip.AddrPort, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current.addr == from && p.current.proven && now.Sub(p.addrChecked) <= addressTimeout
}

// count counts a datagram from an address that is not proven. p.mu is held.
func (p *Peer) count(from netip.AddrPort, n int) {
	for _, at := range []*path{&p.current, &p.next} {
		if at.addr == from && !at.proven {
			at.received += n
		}
	}
}

// maxHeld is how many datagrams of a handshake may wait until an address is proven.
const maxHeld = 8

// send sends a datagram to where the peer is. One that the address may not get yet is
// held until the address has answered a check of the server's own.
func (p *Peer) send(b []byte, by Sender) {
	p.mu.Lock()
	to, session, left := p.current.addr, p.current.session, 0
	if !p.current.challenged {
		left = session.challengeSize()
	}
	may := p.current.spend(len(b), left)
	var c challenge
	if !may {
		if c = p.challengeTo(&p.current); len(p.held) < maxHeld && p.handshake != nil {
			p.held = append(p.held, bytes.Clone(b))
		}
	}
	p.mu.Unlock()
	switch {
	case may:
		by.Send(b, to)
	case c.send && p.server.demux.addChallenge(&p.route, c.id):
		h := p.server.hmacs.get()
		by.Send(session.appendChallenge(h.out[:0], h, c.id), to)
		p.server.hmacs.put(h)
	}
}
