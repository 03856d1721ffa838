package client

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"github.com/earshot-audio/earshot/loadgen/measure"
)

// The manners of libwebrtc (NackTracker, and ModuleRtpRtcpImpl's
// TimeToSendFullNackList) where the round-trip time is not known, as it is not
// to somebody who only listens.
const (
	// askAgain is how long it waits for what it asked for.
	nackRetry = 100 * time.Millisecond
	// askWithin is how old a packet may be when it comes: older ones are not
	// asked for, less the way there and back.
	nackMaxAge = time.Second - nackRetry
	// remember is how old it may be and still count as recovered if it comes.
	recoverMaxAge = 2 * time.Second
)

// recovery counts what listeners asked for again and then got. It is safe for
// concurrent use.
type NACKCounter struct{ requested, recovered atomic.Uint64 }

// counts is how many packets were asked for again, and how many of them came.
func (r *NACKCounter) Counts() (asked, recovered uint64) {
	return r.requested.Load(), r.recovered.Load()
}

// nacks is what an ear misses of its sections, to ask for it again. It is safe
// for concurrent use.
type nackTracker struct {
	counter *NACKCounter

	mu       sync.Mutex
	sections []sourceLosses
}

// misses is the packets that one source has left out so far.
type sourceLosses struct {
	ssrc            uint32
	started         bool
	highest         uint64 // index of the latest packet: rollover count and sequence number
	missing         []missingPacket
	lastFullRequest time.Duration // when all that is missing was last asked for
}

type missingPacket struct {
	index     uint64
	requested bool
}

// received enters a packet and returns the sequence numbers to ask for, most
// often none.
func (n *nackTracker) receive(section int, ssrc uint32, sequence uint16, at time.Duration) []uint16 {
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
	oldest := index - min(index, uint64(recoverMaxAge/measure.BinLength))
	for i := max(m.highest+1, oldest); i < index; i++ {
		m.missing = append(m.missing, missingPacket{index: i})
	}
	m.highest = index
	for len(m.missing) > 0 && m.missing[0].index < oldest {
		m.missing = m.missing[1:]
	}
	return n.request(m, at)
}

// late takes a packet that comes after later ones.
func (n *nackTracker) recover(m *sourceLosses, index uint64) {
	for i, w := range m.missing {
		if w.index != index {
			continue
		}
		if w.requested {
			n.counter.recovered.Add(1)
		}
		m.missing = append(m.missing[:i], m.missing[i+1:]...)
		return
	}
}

// ask is what has not been asked for yet and, when it is time to, what has.
func (n *nackTracker) request(m *sourceLosses, at time.Duration) (sequences []uint16) {
	all := at-m.lastFullRequest > nackRetry
	for i := range m.missing {
		w := &m.missing[i]
		if time.Duration(m.highest-w.index)*measure.BinLength >= nackMaxAge || w.requested && !all {
			continue
		}
		if !w.requested {
			w.requested = true
			n.counter.requested.Add(1)
		}
		sequences = append(sequences, uint16(w.index))
	}
	if all && len(sequences) > 0 {
		m.lastFullRequest = at
	}
	return sequences
}

// nack is the request for packets of a source (RFC 4585 §6.2.1), in a compound
// packet that begins with a report (RFC 3550 §6.1).
func nack(own, ssrc uint32, sequences []uint16) []rtcp.Packet {
	return []rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: own},
		&rtcp.TransportLayerNack{SenderSSRC: own, MediaSSRC: ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(sequences)},
	}
}
