package measure

import (
	"math/bits"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// cutOff reports whether the listener's session, or those of the mics that it is to hear,
// may have ended by a time since the generator was stopped for too long. A server that says
// no has not waited for that, and one that a listener did not reach was not there.
func (l *Listener) cutOff(by time.Duration) bool {
	return l.connected && l.ledger.aggregator.Doubts.Stops.Before(by)
}

// lostByStop is how many frames of a loss the listener may have missed since its session, or that
// of the mic, had ended by a stop of the generator.
func (l *Listener) lostByStop(a loss) (n uint64) {
	if !l.cutOff(a.until.Start()) {
		return 0
	}
	stops := &l.ledger.aggregator.Doubts.Stops
	if !l.outlived.By(stops, a.from.Start()) {
		return a.packets
	}
	sources := l.ledger.list()
	for _, s := range a.said {
		if !sources[s.source].outlived.By(stops, a.from.Start()) {
			n += uint64(bits.OnesCount64(s.speech &^ s.heard & a.mask))
		}
	}
	return min(n, a.packets)
}

// playedInDoubt reports whether what jitter buffers did in a time may be the doing of a stop that
// ended sessions: the listener's, or that of any mic that has sent since.
func (l *Listener) playedInDoubt(from, until time.Duration) bool {
	stops := &l.ledger.aggregator.Doubts.Stops
	if !stops.Before(until) {
		return false
	}
	if !l.outlived.By(stops, from) {
		return true
	}
	over := timebase.BinAt(stops.Over())
	return slices.ContainsFunc(l.ledger.list(), func(m *Source) bool {
		return timebase.Bin(m.last.Load()) >= over && !m.outlived.By(stops, from)
	})
}
