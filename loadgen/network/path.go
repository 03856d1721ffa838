package network

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"
)

// headers is what IPv4 and UDP add to a packet, in bytes.
const headers = 20 + 8

// A Fate is what became of a packet.
type Fate uint8

const (
	Delivered Fate = iota
	Lost           // on the way
	Dropped        // by a full queue
)

// A Path is one direction of one person's network, as it is now. One goroutine
// at a time may use it.
type Path struct {
	is   Direction
	dice *rand.Rand
	bad  bool          // within a burst
	free time.Duration // when the bottleneck has sent all that it took
	last time.Duration // the latest arrival
}

// NewPath makes a path that is idle, in its good state. Two paths of different
// seeds have nothing to do with each other.
func NewPath(d Direction, seed1, seed2 uint64) *Path {
	d.Queue = cmp.Or(d.Queue, DefaultQueue)
	d.Jitter.Shape = cmp.Or(d.Jitter.Shape, Normal)
	return &Path{is: d, dice: rand.New(rand.NewPCG(seed1, seed2))}
}

// Pass sends a packet of so many bytes of UDP payload, at a time that is not
// before the last packet's, and returns when it arrives, if it does.
func (p *Path) Pass(at time.Duration, size int) (arrives time.Duration, fate Fate) {
	change, loss, jitter := p.dice.Float64(), p.dice.Float64(), p.dice.Float64()
	p.change(change)
	at, fits := p.queue(at, size)
	if !fits {
		return 0, Dropped
	}
	if loss < p.risk() {
		return 0, Lost
	}
	arrives = at + p.is.Delay + p.is.Jitter.draw(jitter)
	if !p.is.Jitter.Reorder {
		arrives = max(arrives, p.last)
	}
	p.last = max(p.last, arrives)
	return arrives, Delivered
}

// change moves the channel between its states: it leaves the good one with the
// probability 1/Every after each packet, and the bad one with 1/Length.
func (p *Path) change(draw float64) {
	b := p.is.Bursts
	if b.Length == 0 {
		return
	}
	if p.bad {
		p.bad = draw >= 1/b.Length
	} else {
		p.bad = draw < 1/b.Every
	}
}

// risk is the probability with which the present packet is lost.
func (p *Path) risk() float64 {
	if p.bad {
		return p.is.Bursts.density()
	}
	return p.is.Loss
}

// queue is when the bottleneck has sent a packet that comes at a time; false if
// the queue has no room for it.
func (p *Path) queue(at time.Duration, size int) (time.Duration, bool) {
	if p.is.Bandwidth == 0 {
		return at, true
	}
	begins := max(at, p.free)
	if begins-at > p.is.Queue {
		return 0, false
	}
	takes := float64(8*(size+headers)) / p.is.Bandwidth
	p.free = begins + time.Duration(takes*float64(time.Second))
	return p.free, true
}

// Where the unbounded shapes are cut off, in spreads.
const (
	cutNormal = 3  // N_STD of RFC 8868 §4.5.3
	cutPareto = 20 // one in (1+20/2)³
)

// draw is the jitter of a draw from [0, 1): the inverse of the shape's
// distribution function.
func (j Jitter) draw(u float64) time.Duration {
	if j.Spread == 0 {
		return 0
	}
	var spreads float64
	switch j.Shape {
	case Uniform:
		spreads = u
	case Exponential:
		spreads = -math.Log1p(-u)
	case Pareto: // of Lomax with a shape of 3 the scale is twice the mean
		spreads = min(2*(math.Pow(1-u, -1.0/3)-1), cutPareto)
	default:
		spreads = min(math.Sqrt2*math.Erfinv(u), cutNormal)
	}
	return time.Duration(spreads * float64(j.Spread))
}
