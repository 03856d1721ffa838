package feedback

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// NACKs are sent as libwebrtc sends them (NackTracker, and TimeToSendFullNackList of
// ModuleRtpRtcpImpl) without a known round-trip time: a receive-only client does not
// know it.
const (
	// nackRetry is how long a requested packet may take before it is requested again.
	nackRetry = 100 * time.Millisecond
	// nackMaxAge is the age up to which a packet is requested: it must still arrive
	// within a second.
	nackMaxAge = time.Second - nackRetry
	// recoverMaxAge is the age up to which a packet counts as recovered.
	recoverMaxAge = 2 * time.Second
)

// A NACKCounter counts the packets that listeners requested again and then received. It
// is safe for concurrent use.
type NACKCounter struct {
	requested, recovered atomic.Uint64

	mu sync.Mutex
	// missing counts, by the bin of the run in which they were requested first, the packets
	// that have not come since and may still come.
	missing map[timebase.Bin]uint64
	ended   bool
	at      time.Duration // when it ended
}

// Counts returns how many packets were requested, and how many of them came.
func (r *NACKCounter) Counts() (asked, recovered uint64) {
	return r.requested.Load(), r.recovered.Load()
}

// A LostResendFunc enters that so many packets did not come within a time that had been requested.
type LostResendFunc func(n uint64, from, until time.Duration)

// Settle gives up the packets that did not come in time by now, and tells lost of them, in the order
// of the times: while they were missing something may have been in the way.
func (r *NACKCounter) Settle(now time.Duration, lost LostResendFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.settle(now-bookedWithin, lost)
	}
}

// End ends the counting.
func (r *NACKCounter) End(now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended, r.at = true, now
}

// Finish gives up what did not come in time by the end, when it is known what was in doubt, and returns
// how many packets still had time to come.
func (r *NACKCounter) Finish(lost LostResendFunc) (unknown uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle(r.at+nackMaxAge, lost)
	for _, n := range r.missing {
		unknown += n
	}
	return unknown
}

// settle gives up what had to come by a time. r.mu is held.
func (r *NACKCounter) settle(by time.Duration, lost LostResendFunc) {
	for _, bin := range slices.Sorted(maps.Keys(r.missing)) {
		until := (bin + 1).Start() + recoverMaxAge
		if until > by {
			return
		}
		lost(r.missing[bin], max(0, bin.Start()-nackMaxAge), until)
		delete(r.missing, bin)
	}
}

// request counts a packet that is requested for the first time.
func (r *NACKCounter) request(at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.requested.Add(1)
	if r.missing == nil {
		r.missing = map[timebase.Bin]uint64{}
	}
	r.missing[timebase.BinAt(at)]++
}

// recover counts one that has come, unless it has been given up.
func (r *NACKCounter) recover(requested time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	bin := timebase.BinAt(requested)
	if r.ended || r.missing[bin] == 0 {
		return
	}
	r.recovered.Add(1)
	if r.missing[bin]--; r.missing[bin] == 0 {
		delete(r.missing, bin)
	}
}

// A NACKTracker finds the packets that a client misses and when to request them. It is
// safe for concurrent use.
type NACKTracker struct {
	counter *NACKCounter

	mu       sync.Mutex
	sections []sourceLosses
}

// NewNACKTracker makes one that counts into a counter, which may be that of others, too.
func NewNACKTracker(counter *NACKCounter) *NACKTracker { return &NACKTracker{counter: counter} }

// sourceLosses are the packets that are missing from one source.
type sourceLosses struct {
	ssrc            uint32
	started         bool
	highest         uint64 // index of the latest packet: rollover count and sequence number
	missing         []missingPacket
	lastFullRequest time.Duration // when all missing packets were last requested
}

type missingPacket struct {
	index     uint64
	requested bool
	at        time.Duration // when it was requested first
}

// Receive records a packet and returns the sequence numbers to request, usually none. It is
// called with the present, not with when the packet came: a client that was stopped would
// else request again what is on its way, once for every packet that waited meanwhile.
func (n *NACKTracker) Receive(section int, ssrc uint32, sequence uint16, at time.Duration) []uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.sections) <= section {
		n.sections = append(n.sections, sourceLosses{})
	}
	m := &n.sections[section]
	if !m.started || m.ssrc != ssrc {
		*m = sourceLosses{ssrc: ssrc, started: true, highest: 1<<16 | uint64(sequence), lastFullRequest: at}
		return nil
	}
	index := m.highest + uint64(int64(int16(sequence-uint16(m.highest))))
	if index <= m.highest {
		n.recover(m, index)
		return nil
	}
	oldest := index - min(index, uint64(recoverMaxAge/timebase.BinLength))
	for i := max(m.highest+1, oldest); i < index; i++ {
		m.missing = append(m.missing, missingPacket{index: i})
	}
	m.highest = index
	for len(m.missing) > 0 && m.missing[0].index < oldest {
		m.missing = m.missing[1:]
	}
	return n.request(m, at)
}

// recover records a packet that comes after later ones.
func (n *NACKTracker) recover(m *sourceLosses, index uint64) {
	for i, w := range m.missing {
		if w.index != index {
			continue
		}
		if w.requested {
			n.counter.recover(w.at)
		}
		m.missing = append(m.missing[:i], m.missing[i+1:]...)
		return
	}
}

// request returns the packets that have not been requested yet and, after nackRetry, all
// that are missing.
func (n *NACKTracker) request(m *sourceLosses, at time.Duration) (sequences []uint16) {
	all := at-m.lastFullRequest > nackRetry
	for i := range m.missing {
		w := &m.missing[i]
		if time.Duration(m.highest-w.index)*timebase.BinLength >= nackMaxAge || w.requested && !all {
			continue
		}
		if !w.requested {
			w.requested, w.at = true, at
			n.counter.request(at)
		}
		sequences = append(sequences, uint16(w.index))
	}
	if all && len(sequences) > 0 {
		m.lastFullRequest = at
	}
	return sequences
}

// NACK returns a request for packets of a source (RFC 4585, section 6.2.1). It is a
// compound packet, which must begin with a report (RFC 3550, section 6.1).
func NACK(own, ssrc uint32, sequences []uint16) []rtcp.Packet {
	return []rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: own},
		&rtcp.TransportLayerNack{SenderSSRC: own, MediaSSRC: ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(sequences)},
	}
}
