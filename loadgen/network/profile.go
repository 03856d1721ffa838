package network

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// A Profile is a network as one person has it. The zero value delivers
// everything at once. It is not changed once it is in use.
type Profile struct {
	// Name is what thresholds and reports call it.
	Name string
	// Up is from the person to the server, Down from the server to the person.
	Up, Down Direction
	// Outages are when nothing passes in either direction, and Rebinds when the
	// person's address changes, as behind a NAT that has forgotten its mapping.
	// What is sent to the old address from then on is lost.
	Outages []Outage
	Rebinds []time.Duration
}

// A Direction is one half of a network.
type Direction struct {
	// Delay is how long a packet takes at the least.
	Delay time.Duration
	// Jitter is what is added to the delay, by chance.
	Jitter Jitter
	// Loss is the share of packets that are lost each by itself, from 0 to 1,
	// outside of bursts.
	Loss float64
	// Bursts are losses in a row.
	Bursts Bursts
	// Bandwidth is in bits a second, with 28 bytes of IPv4 and UDP header for
	// each packet; 0 is unlimited.
	Bandwidth float64
	// Queue is how long a packet may wait for the bandwidth. One that would wait
	// longer is dropped (drop-tail). 0 is [DefaultQueue].
	Queue time.Duration
}

// DefaultQueue is the shortest queue that RFC 8868 §4.3 calls nominal.
const DefaultQueue = 300 * time.Millisecond

// A Jitter is the distribution of what is added to each packet's delay, drawn
// for each packet anew.
type Jitter struct {
	// Spread is the scale of the shape; 0 is no jitter.
	Spread time.Duration
	// Shape says what Spread means; "" is Normal.
	Shape Shape
	// Reorder lets a packet overtake those before it. Without, one that would
	// arrives together with the last of them, as in RFC 8868 §4.5.2.
	Reorder bool
}

// A Shape is a form of jitter.
type Shape string

const (
	// Normal is |N(0, Spread²)|, cut off at 3·Spread: RFC 8868 §4.5.3.
	Normal Shape = "normal"
	// Uniform is evenly between 0 and Spread.
	Uniform Shape = "uniform"
	// Exponential has a mean of Spread.
	Exponential Shape = "exponential"
	// Pareto has a heavy tail: Lomax with a shape of 3 and a mean of Spread, cut
	// off at 20·Spread, which one packet in 1,331 would exceed.
	Pareto Shape = "pareto"
)

// Shapes lists the shapes of jitter.
func Shapes() []Shape { return []Shape{Normal, Uniform, Exponential, Pareto} }

// Bursts is the bad state of a Gilbert-Elliott channel (E. N. Gilbert, 1960;
// E. O. Elliott, 1963): the network changes between a good state, in which
// Loss applies, and a bad one. The number of packets that it stays in either is
// geometrically distributed.
type Bursts struct {
	// Every is the mean number of packets from one burst to the next, and Length
	// that of a burst; each is 1 or more, or both are 0: no bursts.
	Every, Length float64
	// Density is the share of packets that are lost within a burst; 0 is all.
	Density float64
}

func (b Bursts) density() float64 { return cmp.Or(b.Density, 1) }

// An Outage is a time without any network, counted from the end of the
// arrivals.
type Outage struct{ At, For time.Duration }

// Out tells that t, counted from the end of the arrivals, is in an outage.
func (p *Profile) Out(t time.Duration) bool {
	for _, o := range p.Outages {
		if t >= o.At && t < o.At+o.For {
			return true
		}
	}
	return false
}

// Rebound is how many times the address has changed by t, counted from the end
// of the arrivals.
func (p *Profile) Rebound(t time.Duration) (n int) {
	for _, at := range p.Rebinds {
		if t >= at {
			n++
		}
	}
	return n
}

// LossShare is the share of packets that the direction loses in the long run,
// besides those that its queue drops.
func (d Direction) LossShare() float64 {
	if d.Bursts.Length == 0 {
		return d.Loss
	}
	bad := d.Bursts.Length / (d.Bursts.Every + d.Bursts.Length)
	return (1-bad)*d.Loss + bad*d.Bursts.density()
}

// The bounds of a profile's figures.
const (
	// MaxDelay bounds delays, jitter and queues. What is over 5 s late counts as
	// lost whatever the network.
	MaxDelay = 10 * time.Second
	// MinBandwidth and MaxBandwidth are in bits a second.
	MinBandwidth = 1e3
	MaxBandwidth = 1e11
	// MaxPackets bounds the means of bursts.
	MaxPackets = 1e6
)

// Names are used in selectors, {network:NAME}.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$`)

// A Problem is a field of a profile that makes no sense.
type Problem struct {
	// Field is named as a scenario writes it, like down.loss.
	Field, Message string
}

// Validate returns an error for a profile that makes no sense. Each mistake in
// it begins with its field.
func (p *Profile) Validate() error {
	var errs []error
	for _, w := range p.Problems() {
		errs = append(errs, fmt.Errorf("%s: %s", w.Field, w.Message))
	}
	return errors.Join(errs...)
}

// Problems is everything that is wrong with the profile.
func (p *Profile) Problems() []Problem {
	var c checker
	if !nameForm.MatchString(p.Name) {
		c.wrong("name", "%q is no name of a network: use up to 32 letters, digits, '.', '_' and '-'", p.Name)
	}
	c.direction("up", p.Up)
	c.direction("down", p.Down)
	for i, o := range p.Outages {
		if o.At < 0 || o.For <= 0 {
			c.wrong(fmt.Sprintf("outages[%d]", i), "an outage has a time to begin, and lasts longer than 0s")
		}
	}
	for i, at := range p.Rebinds {
		if at < 0 {
			c.wrong(fmt.Sprintf("rebinds[%d]", i), "%s is before the steady state", at)
		}
	}
	return c
}

// A checker collects problems.
type checker []Problem

func (c *checker) wrong(field, format string, args ...any) {
	*c = append(*c, Problem{field, fmt.Sprintf(format, args...)})
}

func (c *checker) time(field string, v time.Duration) {
	if v < 0 || v > MaxDelay {
		c.wrong(field, "%s is out of bounds: it can be 0s to %s", v, MaxDelay)
	}
}

func (c *checker) share(field string, v float64) {
	if !(v >= 0 && v <= 1) {
		c.wrong(field, "%v is no share: it can be 0 to 1", v)
	}
}

func (c *checker) packets(field string, v float64) {
	if !(v >= 1 && v <= MaxPackets) {
		c.wrong(field, "%v is out of bounds: it can be 1 to %d packets", v, int(MaxPackets))
	}
}

func (c *checker) direction(name string, d Direction) {
	c.time(name+".delay", d.Delay)
	c.time(name+".jitter", d.Jitter.Spread)
	c.time(name+".queue", d.Queue)
	c.share(name+".loss", d.Loss)
	switch d.Jitter.Shape {
	case "", Normal, Uniform, Exponential, Pareto:
	default:
		c.wrong(name+".shape", "%q is no shape of jitter: it can be %v", d.Jitter.Shape, Shapes())
	}
	if d.Bursts != (Bursts{}) {
		c.packets(name+".bursts.every", d.Bursts.Every)
		c.packets(name+".bursts.length", d.Bursts.Length)
		c.share(name+".bursts.density", d.Bursts.Density)
	}
	if d.Bandwidth != 0 && !(d.Bandwidth >= MinBandwidth && d.Bandwidth <= MaxBandwidth) {
		c.wrong(name+".bandwidth", "%v bit/s is out of bounds: it can be 1kbps to 100Gbps", d.Bandwidth)
	}
}
