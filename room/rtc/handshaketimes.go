package rtc

import (
	"net/netip"
	"sync"
	"time"
)

// handshakeTimes keeps when DTLS handshakes ended, by the address of the client:
// when the server's last flight left. The keys are ready only a moment later, when
// the client may be listening already. It keeps the latest, more than there are
// handshakes at a time. Its methods may be called from any goroutine.
type handshakeTimes struct {
	mu     sync.Mutex
	recent [256]handshakeTime
	n      int
}

type handshakeTime struct {
	to netip.AddrPort
	at time.Time
}

// recordChangeCipherSpec is how a server's last flight begins (RFC 5246,
// section 7.1; the others begin with a handshake record).
const recordChangeCipherSpec = 20

// observe is called with what the server is about to send.
func (h *handshakeTimes) observe(b []byte, to netip.AddrPort, now time.Time) {
	if len(b) == 0 || b[0] != recordChangeCipherSpec {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recent[h.n%len(h.recent)] = handshakeTime{to: to, at: now}
	h.n++
}

// find returns when the last flight first left for an address, since a time: before
// that the address was another client's. It returns zero if it is not known.
func (h *handshakeTimes) find(to netip.AddrPort, since time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	var first time.Time
	for i := range h.recent {
		if r := &h.recent[i]; r.to == to && !r.at.Before(since) && (first.IsZero() || r.at.Before(first)) {
			first = r.at
		}
	}
	return first
}
