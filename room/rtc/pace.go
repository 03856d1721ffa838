package rtc

import "time"

const (
	// shortestFrame is the shortest frame that answers allow (see sdp.OpusParameters).
	shortestFrame = 10 * time.Millisecond
	// spareFrames is how many packets may come at once, after a network held
	// them up: a second of the shortest.
	spareFrames = 100
)

// pace bounds how fast a mic's packets are passed on, since each is sent once
// for every listener: a client may send what it was told that it may. It belongs
// to one goroutine.
type pace struct {
	frame time.Duration // the shortest
	due   time.Time
}

// allows says whether a packet that came at a time is within the bound, and
// takes note of it if so.
func (p *pace) allows(at time.Time) bool {
	if earliest := at.Add(-spareFrames * p.frame); p.due.Before(earliest) {
		p.due = earliest
	}
	if p.due.After(at) {
		return false
	}
	p.due = p.due.Add(p.frame)
	return true
}
