package fanout

import "time"

const (
	// floor is the loudness of silence, in dBov.
	floor = -float64(Silence)
	// attack is the share of the way towards a louder frame that one frame
	// goes: a click of one frame hardly counts, a syllable does.
	attack = 0.3
	// release is how fast, in dB a second, the loudness falls in silence: the
	// gap between two words (0.2 s) costs less than the margin that another
	// mic must have over this one.
	release = 20.0
	// inaudible is the level, in -dBov, from which a frame is too quiet to take a
	// slot from another mic.
	inaudible uint8 = 90
)

// loudness follows how loud a mic is: up fast, down slowly, so that the gaps
// between syllables don't make talkers change places.
type loudness struct {
	db    float64
	at    time.Time
	begun bool
}

// add takes the level of a frame, in -dBov, that came at the given time.
func (l *loudness) add(level uint8, at time.Time) {
	heard := -float64(min(level, Silence))
	if !l.begun {
		*l = loudness{db: floor, at: at, begun: true}
	}
	if since := at.Sub(l.at); since > 0 {
		l.db = max(floor, l.db-release*since.Seconds())
		l.at = at
	}
	if heard > l.db {
		l.db += attack * (heard - l.db)
	}
}
