package dtls

import "time"

const (
	alertWarning     = 1
	alertFatal       = 2
	alertCloseNotify = 0

	// A peer that lost our last flight retransmits its own (RFC 6347, section 4.2.4).
	maxRetransmissions = 16
	retransmitInterval = 50 * time.Millisecond
)

// Session is a DTLS connection after its handshake: the keys of epoch 1 and the
// sequence numbers. It recognises the alert that ends the session, writes this
// side's, and retransmits the last flight to a peer that missed it. It is not safe
// for concurrent use.
type Session struct {
	keys            keys
	finished        []byte // our Finished, until the peer is known to have it
	retransmissions int
	retransmitted   time.Time
}

// Handle reads a datagram. It reports whether the peer ended the session, and
// returns what to send back, if anything.
func (s *Session) Handle(datagram []byte, now time.Time) (closed bool, reply []byte) {
	repeat := false
	for r := range Records(datagram) {
		if r.Epoch == 0 {
			repeat = repeat || r.Kind == RecordHandshake
			continue
		}
		plain, ok := s.keys.open(r)
		if !ok {
			continue
		}
		switch r.Kind {
		case RecordAlert:
			if endsSession(plain) {
				return true, s.CloseNotify() // RFC 5246, section 7.2.1 wants an answer
			}
		case RecordHandshake:
			repeat = true
		case RecordApplication:
			s.ConfirmFinished()
		}
	}
	if repeat {
		reply = s.lastFlight(now)
	}
	return false, reply
}

// endsSession reports whether an alert ends its session (RFC 5246, section 7.2).
func endsSession(alert []byte) bool {
	return len(alert) == 2 && (alert[0] == alertFatal || alert[1] == alertCloseNotify)
}

// ConfirmFinished notes that the peer has our last flight.
func (s *Session) ConfirmFinished() { s.finished = nil }

// lastFlight writes ChangeCipherSpec and Finished again, under new sequence
// numbers (RFC 6347, section 4.2.4).
func (s *Session) lastFlight(now time.Time) []byte {
	if s.finished == nil || s.retransmissions == maxRetransmissions || now.Sub(s.retransmitted) < retransmitInterval {
		return nil
	}
	s.retransmissions, s.retransmitted = s.retransmissions+1, now
	return s.keys.seal(s.keys.plain(nil, RecordChangeCipherSpec, []byte{1}), RecordHandshake, s.finished)
}

// CloseNotify writes the alert that ends the session.
func (s *Session) CloseNotify() []byte {
	return s.keys.seal(nil, RecordAlert, []byte{alertWarning, alertCloseNotify})
}
