package rtc

import (
	"net/netip"
	"sync"
	"time"
)

// flights remembers when DTLS handshakes came to their end, by the address of
// the client: when the server's last flight left. The keys are ready only a
// moment later, when the client may be listening already. It keeps the latest,
// more than there are handshakes at a time.
type flights struct {
	mu     sync.Mutex
	recent [256]flight
	n      int
}

type flight struct {
	to netip.AddrPort
	at time.Time
}

// recordChangeCipherSpec is how a server's last flight begins (RFC 5246
// section 7.1; the others begin with a handshake record).
const recordChangeCipherSpec = 20

// note takes note of what a server is about to send.
func (f *flights) note(b []byte, to netip.AddrPort, now time.Time) {
	if len(b) == 0 || b[0] != recordChangeCipherSpec {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent[f.n%len(f.recent)] = flight{to: to, at: now}
	f.n++
}

// last says when the last flight left for an address, since a time: before that
// the address was another client's. It is zero if it is not known.
func (f *flights) last(to netip.AddrPort, since time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	var first time.Time
	for i := range f.recent {
		if r := &f.recent[i]; r.to == to && !r.at.Before(since) && (first.IsZero() || r.at.Before(first)) {
			first = r.at
		}
	}
	return first
}
