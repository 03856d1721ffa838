package lite

import (
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"net/netip"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
)

const (
	// hostPriority is the priority of the only candidate, a host's (RFC 8445,
	// section 5.1.2.1), as a peer-reflexive one would have it (section 7.1.1).
	hostPriority = 110<<24 | 65535<<8 | 255

	// Retransmissions of the first check (RFC 8489, section 6.2.1): RTO, doubled
	// each time, Rc sendings, and Rm times the RTO after the last.
	firstRTO          = 500 * time.Millisecond
	maxTransmissions  = 7
	lastTimeoutFactor = 16

	// consentEvery is how often consent is checked on average, each time 0.8 to
	// 1.2 of it (RFC 7675, section 5.1 with half the interval, as browsers do).
	consentInterval = 2500 * time.Millisecond
)

// checklist is ICE for a client: one pair, whose first check is repeated until
// it is answered, and consent from then on.
type checklist struct {
	check         check
	transmissions int              // sendings of the current check
	recent        [4]transactionID // of checks whose answers count
	sent          [4]time.Time     // when these were sent, if only once
	next          time.Time        // when something is due
	rto           time.Duration    // of the current check
	connected     bool             // a check was answered
	restarting    bool             // none of the present ICE session was, though connected
	consent       time.Time        // the last answer
	first         time.Time        // the first answer
}

// tick does what is due and sets the next deadline.
func (c *Client) tick(now time.Time) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	if err := c.overdue(now); err != nil {
		c.mu.Unlock()
		c.end(err)
		return
	}
	due := !now.Before(c.ice.next)
	if due {
		c.sendCheck(now)
	}
	next := c.ice.next
	c.mu.Unlock()
	c.group.timers.set(c, next)
	if c.isClosed() {
		c.group.timers.set(c, time.Time{})
	}
}

func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// overdue returns the reason to end the client, if its time is up. c.mu is held.
func (c *Client) overdue(now time.Time) error {
	cfg := &c.group.cfg
	switch {
	case c.ice.connected && now.Sub(c.ice.consent) > cfg.Consent:
		return ErrConsent
	case !c.ice.settled() && c.ice.transmissions == maxTransmissions && !now.Before(c.ice.next):
		return ErrNoCheck
	case c.handshake != nil && now.Sub(c.handshake.since) > cfg.HandshakeTimeout:
		return ErrHandshakeTimeout
	}
	return nil
}

// resume takes a pause of the process, which ended now, out of the client's timeouts. The
// answers that came meanwhile may still be unread.
func (c *Client) resume(paused time.Duration, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if h := c.handshake; h != nil {
		h.since = earlier(h.since.Add(paused), now)
	}
	if c.ice.connected {
		c.ice.consent = earlier(c.ice.consent.Add(paused), now)
	}
	if c.ice.settled() {
		return // the next check is due at once
	}
	wait := c.ice.rto
	if c.ice.transmissions == maxTransmissions {
		wait = lastTimeoutFactor * firstRTO
	}
	c.ice.next = earlier(c.ice.next.Add(paused), now.Add(wait)) // it may have begun after the pause
	c.group.timers.set(c, c.ice.next)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// sendCheck sends the check that is due. c.mu is held.
func (c *Client) sendCheck(now time.Time) {
	l := &c.ice
	switch {
	case l.settled():
		l.renew()
		l.sent[0] = now
		l.next = now.Add(time.Duration((0.8 + 0.4*mathrand.Float64()) * float64(consentInterval)))
	case l.transmissions == 0:
		l.renew()
		l.transmissions, l.rto, l.next = 1, firstRTO, now.Add(firstRTO)
	default:
		l.transmissions++
		l.rto *= 2
		l.next = now.Add(l.rto)
		if l.transmissions == maxTransmissions {
			l.next = now.Add(lastTimeoutFactor * firstRTO)
		}
	}
	h := c.group.hmacs.get()
	c.cfg.Send.Send(l.check.append(h.out[:0], h), c.cfg.Server)
	c.group.hmacs.put(h)
}

// settled reports whether a check of the present ICE session was answered.
func (l *checklist) settled() bool { return l.connected && !l.restarting }

// Settled reports whether a check of the present ICE session was answered.
func (c *Client) Settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ice.settled()
}

// Restart goes on in another ICE session, with other credentials of both sides (RFC 8445,
// section 9), that the server knows already. The client hears as before. If no check of
// the new session is answered, the client ends with [ErrConsent].
func (c *Client) Restart(local, remote sdp.Credentials, now time.Time) error {
	if err := errors.Join(local.Validate(), remote.Validate()); err != nil {
		return err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.cfg.Local, c.cfg.Remote = local, remote
	l := &c.ice
	l.check.to, l.check.from, l.check.key = remote.Ufrag, local.Ufrag, remote.Pwd
	l.recent, l.sent = [4]transactionID{}, [4]time.Time{}
	l.restarting, l.transmissions, l.next = l.connected, 0, now
	c.mu.Unlock()
	c.tick(now)
	return nil
}

// credentials are those of the present ICE session.
func (c *Client) credentials() (local, remote sdp.Credentials) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.Local, c.cfg.Remote
}

// renew begins a new transaction.
func (l *checklist) renew() {
	copy(l.recent[1:], l.recent[:])
	copy(l.sent[1:], l.sent[:])
	l.sent[0] = time.Time{}
	_, _ = rand.Read(l.check.id[:]) // never fails (crypto/rand)
	l.recent[0] = l.check.id
}

// recentCheck returns which of the recent checks id is of; false if it is of none.
func (l *checklist) recentCheck(id transactionID) (int, bool) {
	for i, r := range l.recent {
		if r == id && id != (transactionID{}) {
			return i, true
		}
	}
	return 0, false
}

func (c *Client) handleSTUN(b []byte, from netip.AddrPort, now time.Time) {
	var m stunMessage
	if !m.parse(b) {
		return
	}
	h := c.group.hmacs.get()
	defer c.group.hmacs.put(h)
	switch m.kind {
	case bindingRequest:
		c.handleRequest(&m, h, from)
	case bindingSuccess, bindingError:
		if _, remote := c.credentials(); from != c.cfg.Server || !m.authentic(h, remote.Pwd) {
			return // RFC 8445, section 7.2.5.2.1: the address has to be symmetric
		}
		c.handleResponse(&m, now)
	}
}

// handleResponse takes a response to one of the client's checks.
func (c *Client) handleResponse(m *stunMessage, now time.Time) {
	c.mu.Lock()
	l := &c.ice
	number, recent := l.recentCheck(m.transaction)
	if c.closed || !recent {
		c.mu.Unlock()
		return
	}
	var sent time.Time // if it is to be told
	switch {
	case m.kind == bindingSuccess:
		if now.After(l.consent) { // after a pause it may be from before
			l.consent = now
		}
		sent, l.sent[number] = l.sent[number], time.Time{}
		if a, ok := m.mappedAddress(); ok {
			c.mapped = a
		}
		if !l.connected {
			l.connected, l.first = true, now
			l.next = now.Add(consentInterval)
			c.startHandshake(now)
		} else if l.restarting {
			l.restarting, l.next = false, now.Add(consentInterval)
		}
	case m.code == codeRoleConflict: // RFC 8445, section 7.2.5.1
		l.check.controlling = !l.check.controlling
		l.recent = [4]transactionID{}
		l.transmissions, l.next = 0, now
		c.mu.Unlock()
		c.tick(now)
		return
	}
	next := l.next
	c.mu.Unlock()
	if !sent.IsZero() && c.cfg.RoundTrip != nil {
		c.cfg.RoundTrip(sent, now)
	}
	c.group.timers.set(c, next)
	if c.isClosed() {
		c.group.timers.set(c, time.Time{})
	}
}

// handleRequest answers a check of a server that is not ICE-lite.
func (c *Client) handleRequest(m *stunMessage, h *stunHMAC, from netip.AddrPort) {
	to, by, ok := m.usernames()
	local, remote := c.credentials()
	if !ok || string(to) != local.Ufrag || string(by) != remote.Ufrag || !m.authentic(h, local.Pwd) {
		return
	}
	c.mu.Lock()
	check := &c.ice.check
	conflict := false
	if m.controlling && check.controlling || m.controlled && !check.controlling {
		// RFC 8445, section 7.3.1.1: the larger tie-breaker controls.
		if conflict = (check.tiebreaker >= m.tiebreaker) == check.controlling; !conflict {
			check.controlling = !check.controlling
		}
	}
	c.checked = !c.cfg.ServerLite
	c.hurry()
	c.mu.Unlock()
	pwd := local.Pwd
	switch {
	case m.unknown != 0:
		c.cfg.Send.Send(appendBindingError(h.out[:0], h, m.transaction, codeUnknown, m.unknown, pwd), from)
	case conflict:
		c.cfg.Send.Send(appendBindingError(h.out[:0], h, m.transaction, codeRoleConflict, 0, pwd), from)
	default:
		c.cfg.Send.Send(appendBindingSuccess(h.out[:0], h, m.transaction, from, pwd), from)
	}
}
