package network

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"
)

// headers is the size of the IPv4 and UDP headers, in bytes.
const headers = 20 + 8

// A Fate is what happens to a packet.
type Fate uint8

const (
	Delivered Fate = iota
	Lost           // in the network
	Dropped        // because the queue was full
)

// A Path is the present state of one direction of one person's network. It is not safe
// for concurrent use.
type Path struct {
	is   Direction
	dice *rand.Rand
	bad  bool          // in a burst of losses
	sent time.Duration // when the last packet was
	free time.Duration // when the bottleneck will have sent all queued packets
	last time.Duration // the latest arrival
}

// NewPath returns an idle path in the good state. Paths with different seeds are
// independent.
func NewPath(d Direction, seed1, seed2 uint64) *Path {
	d.Queue = cmp.Or(d.Queue, DefaultQueue)
	d.Jitter.Shape = cmp.Or(d.Jitter.Shape, Normal)
	return &Path{is: d, dice: rand.New(rand.NewPCG(seed1, seed2))}
}

// Pass sends a packet with size bytes of UDP payload. at must not be before that of the
// last packet. Pass returns the packet's fate and, if it is Delivered, the arrival time.
func (p *Path) Pass(at time.Duration, size int) (arrives time.Duration, fate Fate) {
	change, loss, jitter := p.dice.Float64(), p.dice.Float64(), p.dice.Float64()
	p.change(change, at-p.sent)
	p.sent = at
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

// pause is the time in which the channel may change though nothing is sent: that of a frame.
// Bursts are counted in packets of a voice. If they lasted until as many had been sent,
// one could swallow all attempts of a handshake, which are seconds apart.
const pause = 20 * time.Millisecond

// change moves the channel between its states: with each packet, and each pause before it,
// it leaves the good state with probability 1/Every, and the bad one with 1/Length.
func (p *Path) change(draw float64, since time.Duration) {
	b := p.is.Bursts
	if b.Length == 0 {
		return
	}
	// The chance to be in the bad state after so many steps, of a chain with two states.
	begins, ends := 1/b.Every, 1/b.Length
	left := 1 - begins - ends
	if steps := since / pause; steps > 1 { // seldom: a voice sends a packet each pause
		left = math.Pow(left, float64(steps))
	}
	bad := begins / (begins + ends) * (1 - left)
	if p.bad {
		p.bad = draw >= 1-bad-left
	} else {
		p.bad = draw < bad
	}
}

// risk returns the probability that the present packet is lost.
func (p *Path) risk() float64 {
	if p.bad {
		return p.is.Bursts.density()
	}
	return p.is.Loss
}

// queue returns when the bottleneck will have sent a packet that arrives at the given
// time. It reports false if the queue has no room for it.
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

// Where the unbounded shapes are truncated, in multiples of the spread.
const (
	cutNormal = 3  // N_STD of RFC 8868, section 4.5.3
	cutPareto = 20 // one in (1+20/2)³
)

// draw returns the jitter for a uniform value from [0, 1): the inverse of the shape's
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
	case Pareto: // a Lomax distribution with shape 3 has a scale of twice its mean
		spreads = min(2*(math.Pow(1-u, -1.0/3)-1), cutPareto)
	default:
		spreads = min(math.Sqrt2*math.Erfinv(u), cutNormal)
	}
	return time.Duration(spreads * float64(j.Spread))
}
