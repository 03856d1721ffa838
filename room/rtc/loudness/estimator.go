package loudness

import (
	"math/rand/v2"

	"github.com/pion/rtp"
)

const (
	// Levels that a client claims are checked in auditFrames frames in a row, after
	// the decoder has had settleFrames to get used to the voice. Between two checks
	// there are minTrusted to maxTrusted frames, so that nobody knows when.
	auditFrames  = 50
	settleFrames = 10
	minTrusted   = 250
	maxTrusted   = 750
	// claimTolerance is by how many dB a client may claim to be louder than what it
	// sends is, on average: it measures before the codec, and each does it in its way.
	claimTolerance = 15
)

// An Estimator says how loud a mic is, frame by frame. A client that says so itself (RFC 6464)
// is believed, which saves decoding, and checked now and then: the loudest mics are
// heard, and one that claims to be loud would keep the others from it. It belongs to one
// goroutine.
type Estimator struct {
	meter      *Meter
	distrusted bool

	trusted int // frames until the next check
	checked int // frames of the check under way
	claims  int // of those, the ones that were claimed to be speech
	excess  int // how much louder they were claimed to be than they were, in dB
}

// New makes one for a mic.
func New() *Estimator {
	return &Estimator{meter: NewMeter(), trusted: untilAudit()}
}

func untilAudit() int { return minTrusted + rand.IntN(maxTrusted-minTrusted) }

// Of returns the loudness of a frame in -dBov, and whether it is speech. claim is what
// the client says, nil if it says nothing.
func (l *Estimator) Of(frame []byte, claim *rtp.AudioLevelExtension) (level uint8, voice bool) {
	if claim == nil || l.distrusted {
		level = l.meter.Measure(frame)
		return level, level < voiceLevel
	}
	if l.trusted > 0 {
		l.trusted--
		return claim.Level, claim.Voice
	}
	l.check(l.meter.Measure(frame), claim.Level)
	return claim.Level, claim.Voice
}

// check holds a frame's claim against what it measures, and decides after the last.
func (l *Estimator) check(measured, claimed uint8) {
	l.checked++
	if l.checked > settleFrames && claimed < voiceLevel {
		l.claims++
		l.excess += int(measured) - int(claimed)
	}
	if l.checked < settleFrames+auditFrames {
		return
	}
	l.distrusted = l.claims > 0 && l.excess > claimTolerance*l.claims
	l.trusted, l.checked, l.claims, l.excess = untilAudit(), 0, 0, 0
	l.meter.reset()
}
