package network

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// A Profile describes one person's network. The zero value delivers everything at once.
// A profile must not change while it is in use.
type Profile struct {
	// Name identifies the network in thresholds and reports.
	Name string
	// Up is from the person to the server, Down from the server to the person.
	Up, Down Direction
	// Outages are times in which nothing passes in either direction. Rebinds are the
	// times at which the person's address changes, as behind a NAT that has lost its
	// mapping: packets to the old address are lost from then on.
	Outages []Outage
	Rebinds []time.Duration
}

// A Direction is one direction of a network.
type Direction struct {
	// Delay is the least time that a packet takes.
	Delay time.Duration
	// Jitter is random and is added to the delay.
	Jitter Jitter
	// Loss is the share of packets that are lost independently, from 0 to 1, outside of
	// bursts.
	Loss float64
	// Bursts are consecutive losses.
	Bursts Bursts
	// Bandwidth is in bits per second and includes 28 bytes of IPv4 and UDP header per
	// packet; 0 is unlimited.
	Bandwidth float64
	// Queue is how long a packet may wait for the bandwidth. A packet that would wait
	// longer is dropped (drop-tail). 0 is [DefaultQueue].
	Queue time.Duration
}

// DefaultQueue is the shortest queue that RFC 8868, section 4.3, calls nominal.
const DefaultQueue = 300 * time.Millisecond

// Jitter is the distribution of the time that is added to each packet's delay, drawn for
// each packet.
type Jitter struct {
	// Spread is the scale of the shape; 0 is no jitter.
	Spread time.Duration
	// Shape says what Spread means; "" is Normal.
	Shape Shape
	// Reorder lets a packet overtake earlier ones. Without it, a packet that would
	// overtake arrives together with the last earlier one, as in RFC 8868, section
	// 4.5.2.
	Reorder bool
}

// A Shape is a distribution of jitter.
type Shape string

const (
	// Normal is |N(0, Spread²)|, truncated at 3·Spread (RFC 8868, section 4.5.3).
	Normal Shape = "normal"
	// Uniform is uniform between 0 and Spread.
	Uniform Shape = "uniform"
	// Exponential has a mean of Spread.
	Exponential Shape = "exponential"
	// Pareto has a heavy tail: a Lomax distribution with shape 3 and a mean of Spread,
	// truncated at 20·Spread, which one packet in 1,331 would exceed.
	Pareto Shape = "pareto"
)

// Shapes returns the shapes of jitter.
func Shapes() []Shape { return []Shape{Normal, Uniform, Exponential, Pareto} }

// Bursts is the bad state of a Gilbert-Elliott channel (E. N. Gilbert, 1960; E. O.
// Elliott, 1963). The channel alternates between a good state, in which Loss applies,
// and a bad one. The number of packets in each state is geometrically distributed; each
// 20 ms in which nothing is sent count as one.
type Bursts struct {
	// Every is the mean number of packets between bursts, and Length the mean number in
	// a burst. Both are at least 1, or both are 0 for no bursts.
	Every, Length float64
	// Density is the share of packets that are lost in a burst; 0 means all.
	Density float64
}

func (b Bursts) density() float64 { return cmp.Or(b.Density, 1) }

// An Outage is a time without network. At counts from the end of the arrivals.
type Outage struct{ At, For time.Duration }

// Out reports whether t, counted from the end of the arrivals, is in an outage.
func (p *Profile) Out(t time.Duration) bool {
	for _, o := range p.Outages {
		if t >= o.At && t < o.At+o.For {
			return true
		}
	}
	return false
}

// Rebound returns how many times the address has changed by t, counted from the end of
// the arrivals.
func (p *Profile) Rebound(t time.Duration) (n int) {
	for _, at := range p.Rebinds {
		if t >= at {
			n++
		}
	}
	return n
}

// LossShare returns the share of packets that the direction loses in the long run, not
// counting drops by its queue.
func (d Direction) LossShare() float64 {
	if d.Bursts.Length == 0 {
		return d.Loss
	}
	bad := d.Bursts.Length / (d.Bursts.Every + d.Bursts.Length)
	return (1-bad)*d.Loss + bad*d.Bursts.density()
}

// Limits of a profile's figures.
const (
	// MaxDelay limits delays, jitter and queues. A packet that is more than 5 s late
	// counts as lost on every network.
	MaxDelay = 10 * time.Second
	// MinBandwidth and MaxBandwidth are in bits per second.
	MinBandwidth = 1e3
	MaxBandwidth = 1e11
	// MaxPackets limits the means of bursts.
	MaxPackets = 1e6
)

// Names are used in selectors, {network:NAME}.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$`)

// A Problem is an invalid field of a profile.
type Problem struct {
	// Field is the field's name in a scenario, like down.loss.
	Field, Message string
}

// Validate returns an error for an invalid profile. It names each invalid field.
func (p *Profile) Validate() error {
	var errs []error
	for _, w := range p.Problems() {
		errs = append(errs, fmt.Errorf("%s: %s", w.Field, w.Message))
	}
	return errors.Join(errs...)
}

// Problems returns everything that is wrong with the profile.
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
