package dtls

const (
	// maxMessage is the longest message that is taken: a hello has two kilobytes at
	// most, a certificate with its chain seldom five.
	maxMessage = 16 << 10
	// maxAhead is how many messages may come before their turn: a flight has five.
	maxAhead = 6
	// maxKept bounds what is kept of all of them.
	maxKept = 2 * maxMessage
)

// reassembly puts together the messages that are still to come (RFC 6347, section
// 4.2.3). Fragments may overlap, and come in any order.
type reassembly struct {
	next    uint16             // the number of the message whose turn it is
	partial [maxAhead]*partial // by the distance from next
	kept    int                // bytes that partial has
}

// partial is a message of which not all has come, or that waits for its turn.
type partial struct {
	kind    byte
	body    []byte
	have    []uint64 // bits: which bytes have come
	missing int
}

// inTurn reports whether a fragment is all of the message whose turn it is. If so, the
// next is in turn.
func (r *reassembly) inTurn(f *fragment) bool {
	if f.seq != r.next || f.offset != 0 || len(f.body) != f.length || f.length > maxMessage || r.partial[0] != nil {
		return false
	}
	r.advance()
	return true
}

// add takes a fragment. It reports false for one that there is no place for, or that
// contradicts another.
func (r *reassembly) add(f *fragment) bool {
	ahead := int(f.seq - r.next)
	if f.seq < r.next || ahead >= maxAhead || f.length > maxMessage {
		return false
	}
	p := r.partial[ahead]
	if p == nil {
		if r.kept+f.length > maxKept {
			return false
		}
		p = &partial{kind: f.kind, body: make([]byte, f.length), have: make([]uint64, (f.length+63)/64), missing: f.length}
		r.partial[ahead], r.kept = p, r.kept+f.length
	}
	if p.kind != f.kind || len(p.body) != f.length {
		return false
	}
	for i, v := range f.body {
		at := f.offset + i
		if bit := uint64(1) << (at % 64); p.have[at/64]&bit == 0 {
			p.have[at/64] |= bit
			p.body[at] = v
			p.missing--
		}
	}
	return true
}

// take gives the message whose turn it is, if all of it has come.
func (r *reassembly) take() (kind byte, body []byte, ok bool) {
	p := r.partial[0]
	if p == nil || p.missing > 0 {
		return 0, nil, false
	}
	r.kept -= len(p.body)
	r.advance()
	return p.kind, p.body, true
}

// advance goes on to the next message.
func (r *reassembly) advance() {
	r.next++
	copy(r.partial[:], r.partial[1:])
	r.partial[maxAhead-1] = nil
}
