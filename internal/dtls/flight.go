package dtls

import "time"

// maxDatagram is how long a datagram is that is sent: it fits through any tunnel.
const maxDatagram = 1200

// minFragment is the shortest part of a message for which it is worth to fill up a
// datagram.
const minFragment = 64

// repeatInterval is how long after a flight the repetition of the peer's own means that
// it is lost, and not that the network doubles datagrams. Chromium repeats after 50 ms.
const repeatInterval = 25 * time.Millisecond

// flight is the messages that are sent together, and again as long as there is no
// answer.
type flight struct {
	messages []message
	next     uint16 // the number of the next message
}

// message is a handshake message that is sent, or ChangeCipherSpec if it has no kind.
type message struct {
	kind   byte
	seq    uint16
	sealed bool
	body   []byte
}

// appendPart appends a part of the message as a fragment.
func (m *message) appendPart(b []byte, offset, n int) []byte {
	b = appendMessageHeader(b, m.kind, len(m.body), m.seq, offset, n)
	return append(b, m.body[offset:offset+n]...)
}

// begin begins a new flight.
func (h *Handshake) begin() {
	h.flight.messages = h.flight.messages[:0]
	h.interval, h.repeats = firstInterval, 0
}

// add adds a message to the flight and to the transcript.
func (h *Handshake) add(kind byte, body []byte) {
	m := message{kind: kind, seq: h.flight.next, sealed: kind == messageFinished, body: body}
	h.flight.next++
	h.flight.messages = append(h.flight.messages, m)
	h.record(kind, m.seq, body)
}

// addFinished adds ChangeCipherSpec and Finished.
func (h *Handshake) addFinished(label string) {
	h.flight.messages = append(h.flight.messages, message{body: []byte{1}})
	h.add(messageFinished, h.finish(label))
}

// repeat sends the flight again, because the peer has sent its own again: this one is
// lost (RFC 6347, section 4.2.4). It is bounded, for anybody could repeat a datagram.
func (h *Handshake) repeat(now time.Time) {
	if len(h.flight.messages) == 0 || h.repeats == maxRetransmissions || now.Sub(h.transmitted) < repeatInterval {
		return
	}
	h.repeats++
	h.transmit(now)
}

// transmit sends the flight, under new sequence numbers.
func (h *Handshake) transmit(now time.Time) {
	b := make([]byte, 0, maxDatagram)
	for i := range h.flight.messages {
		b = h.appendMessage(b, &h.flight.messages[i])
	}
	h.send(b)
	h.transmitted, h.deadline = now, now.Add(h.interval)
}

// appendMessage appends a message to a datagram, in as many records as it takes. It
// sends the datagrams that are full.
func (h *Handshake) appendMessage(b []byte, m *message) []byte {
	if m.kind == 0 {
		if len(b)+RecordHeader+len(m.body) > maxDatagram {
			h.send(b)
			b = b[:0]
		}
		return h.keys.plain(b, RecordChangeCipherSpec, m.body)
	}
	overhead := RecordHeader + messageHeader
	if m.sealed {
		overhead += gcmExplicit + gcmTag
	}
	for offset := 0; ; {
		rest := len(m.body) - offset
		space := maxDatagram - len(b) - overhead
		if space < min(rest, minFragment) {
			h.send(b)
			b = b[:0]
			space = maxDatagram - overhead
		}
		n := min(rest, space)
		if m.sealed {
			b = h.keys.seal(b, RecordHandshake, m.appendPart(nil, offset, n))
		} else {
			b = m.appendPart(h.keys.appendPlainHeader(b, RecordHandshake, messageHeader+n), offset, n)
		}
		if offset += n; offset == len(m.body) {
			return b
		}
	}
}
