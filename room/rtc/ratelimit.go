package rtc

import "time"

const (
	// minFrame is the shortest frame that answers allow (see sdp.OpusParameters).
	minFrame = 10 * time.Millisecond
	// rateBurst is how many packets may come at once, after a network held them up:
	// a second of the shortest.
	rateBurst = 100
)

// rateLimiter limits how fast a mic's packets are passed on, since each is sent
// once for every listener. What the answer allows is within the limit. It belongs
// to one goroutine.
type rateLimiter struct {
	frame time.Duration // the shortest
	due   time.Time
}

// allow reports whether a packet that came at that time is within the limit, and
// counts it if so.
func (l *rateLimiter) allow(at time.Time) bool {
	if earliest := at.Add(-rateBurst * l.frame); l.due.Before(earliest) {
		l.due = earliest
	}
	if l.due.After(at) {
		return false
	}
	l.due = l.due.Add(l.frame)
	return true
}
