package clock

import (
	"fmt"
	"time"
)

const (
	// near is how far from a moment an exchange may be that says what the offset was then.
	near = 10 * time.Second
	// kept is how many exchanges are kept. At five a second these are 25 s, so all is
	// there that is near the last ten.
	kept = 128
)

// ErrUnknown is that no exchange near the moment was answered.
var ErrUnknown = fmt.Errorf("the other machine's clock did not answer within %v", near)

// An exchange proves that the offset was within its Offset at some moment between begun
// and ended of our clock.
type exchange struct {
	begun, ended time.Duration
	Offset
}

// at is what the exchange says of a moment. It knows not when between its beginning and
// its end the other clock was read, so the farther of the two counts.
func (e exchange) at(t time.Duration) Offset {
	return e.apart(max(t-e.begun, e.ended-t))
}

// An estimate is what all exchanges so far prove together.
type estimate struct {
	ring [kept]exchange
	n    int // exchanges so far; the last ones are in ring
	// proven is what all exchanges together, those no longer kept too, say of the
	// offset at the end of the last one. It is for finding out that they exclude one
	// another, however slowly.
	proven Offset
	last   time.Duration
	broken error // that they do
}

// add takes an exchange, which ends no earlier than the last.
func (e *estimate) add(x exchange) {
	proven := x.at(x.ended)
	if e.n > 0 {
		proven = proven.and(e.proven.apart(x.ended - e.last))
	}
	if proven.empty() {
		e.exclude(proven)
		return
	}
	e.proven, e.last = proven, x.ended
	e.ring[e.n%kept] = x
	e.n++
}

// exclude gives up, because nothing is in what all exchanges allow.
func (e *estimate) exclude(nothing Offset) {
	e.broken = fmt.Errorf("two machines' clocks moved against each other by %v more than %d millionths of the time: "+
		"one was stepped or stood still, or runs wrong; a service such as chrony on both machines prevents that", nothing.Least-nothing.Most, MaxDrift)
}

// at is what the offset was at a moment of our clock.
func (e *estimate) at(t time.Duration) (Offset, error) {
	if e.broken != nil {
		return Offset{}, e.broken
	}
	var o Offset
	found := false
	for _, x := range e.ring[:min(e.n, kept)] {
		switch {
		case t-x.ended > near || x.begun-t > near:
		case !found:
			o, found = x.at(t), true
		default:
			o = o.and(x.at(t))
		}
	}
	switch {
	case !found:
		return Offset{}, ErrUnknown
	case o.empty():
		e.exclude(o)
		return Offset{}, e.broken
	}
	return o, nil
}
