package fanout

import "time"

const (
	// dropout and misorder distinguish a gap and a late packet from a source that
	// started anew (RFC 3550, appendix A.1; misorder is bounded by the window
	// of the duplicate check instead of the RFC's 100).
	dropout  = 3000
	misorder = 63
	// strayTicks is how far, beyond the time that passed, a timestamp may run
	// ahead before the source counts as started anew: ten seconds.
	strayTicks = 10 * clockRate
)

// rtpTimeline turns the sequence numbers and timestamps of changing sources into
// one unbroken run. While one source holds it, the source's own steps are kept,
// so that loss and reordering before the room stay visible to the listener's
// jitter buffer; when the source changes, the run goes on with the next number
// and with as many ticks as time passed, in whole frames.
//
// No number is given out twice within 2^16 packets.
type rtpTimeline struct {
	// The last place given out, and when its packet came.
	seq     uint16
	ts      uint32
	at      time.Time
	started bool

	// The hold: the newest number and timestamp of the source, how far it is
	// from the first of the hold, and which of the 64 newest were seen (bit 0
	// is the newest).
	holding bool
	inSeq   uint16
	inTS    uint32
	span    uint32
	seen    uint64
}

// interrupt ends the hold: whatever comes next, the run goes on without a gap.
func (t *rtpTimeline) interrupt() { t.holding = false }

// resume makes a fresh timeline go on after a packet that was already sent.
func (t *rtpTimeline) resume(seq uint16, ts uint32, at time.Time) {
	*t = rtpTimeline{seq: seq, ts: ts, at: at, started: true}
}

// place is where a packet goes. first is true for the first of a hold.
type place struct {
	seq   uint16
	ts    uint32
	first bool
}

// next returns the place of a packet of the source that holds the timeline. It
// returns false for a packet to be dropped: one seen before, one from before the
// hold, or one too late to be distinguished from either.
func (t *rtpTimeline) next(seq uint16, ts uint32, at time.Time) (place, bool) {
	if !t.holding {
		return t.begin(seq, ts, at), true
	}
	step := int(int16(seq - t.inSeq))
	switch {
	case step > dropout || step < -dropout:
		return t.begin(seq, ts, at), true
	case step > 0:
		if t.strayed(ts, at) {
			return t.begin(seq, ts, at), true
		}
		t.seq += uint16(step)
		t.ts += ts - t.inTS
		t.inSeq, t.inTS = seq, ts
		t.span += uint32(step)
		t.seen = t.seen<<step | 1
		t.at = later(t.at, at)
		return place{seq: t.seq, ts: t.ts}, true
	case step < -misorder:
		return place{}, false
	}
	back := uint32(-step)
	if back > t.span || t.seen&(1<<back) != 0 {
		return place{}, false
	}
	t.seen |= 1 << back
	return place{seq: t.seq - uint16(back), ts: t.ts - (t.inTS - ts)}, true
}

// source returns the source's own sequence number for one that was given out in
// this hold. first is true for the first of the hold.
func (t *rtpTimeline) source(seq uint16) (in uint16, first, ok bool) {
	back := t.seq - seq
	if !t.holding || uint32(back) > t.span {
		return 0, false, false
	}
	return t.inSeq - back, uint32(back) == t.span, true
}

// shifted is where a timestamp of the source lies in this hold.
func (t *rtpTimeline) shifted(ts uint32) uint32 { return ts + t.ts - t.inTS }

// strayed reports whether the timestamp of a newer packet makes no sense beside
// the time that passed since the last.
func (t *rtpTimeline) strayed(ts uint32, at time.Time) bool {
	ahead := int64(int32(ts - t.inTS))
	return ahead < 0 || ahead > int64(ticks(at.Sub(t.at)))+strayTicks
}

// begin starts a hold.
func (t *rtpTimeline) begin(seq uint16, ts uint32, at time.Time) place {
	if t.started {
		passed := (ticks(at.Sub(t.at)) + frameTicks/2) / frameTicks * frameTicks
		t.seq++
		t.ts += max(frameTicks, passed)
		t.at = later(t.at, at)
	} else {
		t.started, t.at = true, at
	}
	t.holding, t.inSeq, t.inTS, t.span, t.seen = true, seq, ts, 0, 1
	return place{seq: t.seq, ts: t.ts, first: true}
}

// ticks is a time in RTP clock ticks; a negative one counts as none.
func ticks(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(d.Microseconds() * (clockRate / 1000) / 1000)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
