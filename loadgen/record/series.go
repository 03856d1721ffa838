package record

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// MaxPoints is how many points a series has at most. When it would have more,
// every two of them become one.
const MaxPoints = 240

// A Series is a run over time, of all its listeners: a point for each interval,
// in memory that does not grow with the length of the run. Times count from
// the run's beginning.
type Series struct {
	// Interval is how long a point lasts: a second, or 2, 4, 8 … of a long run.
	Interval time.Duration
	// Points follow one another without a hole, the last may be shorter. They
	// are not changed any more.
	Points []Point
}

// A Point is what happened in one interval. Delivered and Latency are of the
// frames that were sent in it, whenever they came.
type Point struct {
	At, Until time.Duration
	Delivered metric.Rate
	// Latency is in ms, to 1 %; nil if nothing was received.
	Latency *metric.Trend
	// Excused is how many of the packets that did not come may have been lost by the
	// generator's doing, and Fastest the latency at best, as [Totals.Best] has it; nil if
	// it is the same.
	Excused uint64
	Fastest *metric.Trend
	// Arrivals is how many joins were to begin, Joins how many listeners heard
	// their first packet, Joined how many had by the end, and Left how many
	// the scenario had made leave by then.
	Arrivals, Joins, Joined, Left int

	// Cores used by the processes of the server and the generator, and the most
	// memory they had, in bytes; nil and 0 if not known.
	ServerCPU, GeneratorCPU *float64
	ServerRSS, GeneratorRSS uint64
	// Drops is how many packets were dropped on the generator's own side.
	Drops uint64
	// SendLag is how late the latest frame was sent by the generator.
	SendLag time.Duration
}

// AtBest is what was delivered, and the latency, at best.
func (p Point) AtBest() (delivered metric.Rate, latency *metric.Trend) {
	if p.Fastest != nil {
		return p.Delivered.Excuse(p.Excused), p.Fastest
	}
	return p.Delivered.Excuse(p.Excused), p.Latency
}

// A MarkKind is what kind of thing happened at a [Mark].
type MarkKind string

const (
	MarkPhase MarkKind = "phase" // a phase of the run begins
	MarkSpan  MarkKind = "span"  // a span that the scenario names begins
	MarkEvent MarkKind = "event" // an entry of the scenario's timeline is played
)

// A Mark is a moment of the run that has a name.
type Mark struct {
	At   time.Duration
	Kind MarkKind
	Name string
	// For is how long what begins lasts, if that is known.
	For time.Duration
}

// A Load is what both processes used from one moment to another.
type Load struct {
	From, Until             time.Duration
	ServerCPU, GeneratorCPU *float64 // cores
	ServerRSS, GeneratorRSS uint64   // bytes
	Drops                   uint64
}

// A builder makes a series of buckets and loads. Buckets come some seconds after
// the loads of the same time, and a point is added when its buckets have come.
type builder struct {
	open   []Point // a second each, in order and without a hole, not all there yet
	points []Point
	span   int64 // seconds a point lasts
	last   Point // of what is to become the next point
	parts  int64 // seconds that are in it
	joined int
	left   int
}

// second is the open point of a moment, nil if it is closed already.
func (b *builder) second(at time.Duration) *Point {
	i := int64(at / BucketLength)
	first := b.seconds()
	for int64(len(b.open)) <= i-first {
		from := time.Duration(first+int64(len(b.open))) * BucketLength
		b.open = append(b.open, Point{At: from, Until: from + BucketLength})
	}
	if i < first {
		return nil
	}
	return &b.open[i-first]
}

// seconds is how many seconds are closed.
func (b *builder) seconds() int64 { return int64(len(b.points))*max(b.span, 1) + b.parts }

// bucket enters what some listeners received. What rests on drops at best goes to again: see
// [builder.resent].
func (b *builder) bucket(at time.Duration, c closedCell, again *resentLatency) {
	p := b.second(at)
	if p == nil {
		return
	}
	p.Delivered.Passes += c.delivered.Passes
	p.Delivered.Total += c.delivered.Total
	p.Excused += c.excused
	if c.latency.certain.Count()+c.latency.worst.Count() > 0 {
		if p.Latency == nil {
			p.Latency = metric.NewCoarseTrend()
		}
		if p.Fastest == nil && c.latency.doubted() {
			p.Fastest = metric.NewCoarseTrend()
			p.Fastest.Merge(p.Latency)
		}
		if p.Fastest != nil {
			c.latency.bestInto(p.Fastest, again)
		}
		c.latency.worstInto(p.Latency)
	}
}

// dropped enters how many more of the packets that did not come may have been lost by drops.
func (b *builder) dropped(at time.Duration, n uint64) {
	if n == 0 {
		return
	}
	if p := b.second(at); p != nil {
		p.Excused += n
	}
}

// resent enters the latency at best of what may have been sent again.
func (b *builder) resent(at time.Duration, best *metric.Trend) {
	if best.Count() == 0 {
		return
	}
	if p := b.second(at); p != nil && p.Fastest != nil {
		p.Fastest.Merge(best)
	}
}

// load enters what both processes used. It belongs to the second of its middle, and to those beside
// it that it covers and that have no other's middle: a sample that comes late leaves no hole.
func (b *builder) load(l Load) {
	middle := (l.From + l.Until) / 2
	for at := l.From.Truncate(BucketLength); at < l.Until; at += BucketLength {
		p := b.second(at)
		before, after := at+BucketLength <= middle, at > middle
		switch {
		case p == nil,
			before && (p.ServerCPU != nil || p.GeneratorCPU != nil),
			after && at+BucketLength/2 > l.Until:
			continue
		}
		p.used(l)
	}
	if p := b.second(middle); p != nil {
		p.Drops += l.Drops
	}
}

// used enters what both processes used.
func (p *Point) used(l Load) {
	if l.ServerCPU != nil {
		p.ServerCPU = l.ServerCPU
	}
	if l.GeneratorCPU != nil {
		p.GeneratorCPU = l.GeneratorCPU
	}
	p.ServerRSS = max(p.ServerRSS, l.ServerRSS)
	p.GeneratorRSS = max(p.GeneratorRSS, l.GeneratorRSS)
}

func (b *builder) events(at time.Duration, e closedEvents) {
	p := b.second(at)
	if p == nil {
		return
	}
	p.Arrivals += e.arrivals
	p.Joins += e.joins
	p.Left += e.left
	p.SendLag = max(p.SendLag, e.sendLag)
}

// closed adds the points of the seconds that end by until.
func (b *builder) closed(until time.Duration) {
	for len(b.open) > 0 && b.open[0].Until <= until {
		b.add(b.open[0])
		b.open = slices.Delete(b.open, 0, 1)
	}
}

// finish adds what is left, up to now.
func (b *builder) finish(now time.Duration) {
	b.second(now)
	for _, p := range b.open {
		if p.At < now {
			p.Until = min(p.Until, now)
			b.add(p)
		}
	}
	b.open = nil
	b.flush()
}

// add puts a second into the point that it is a part of.
func (b *builder) add(p Point) {
	b.joined += p.Joins
	b.left += p.Left
	p.Joined, p.Left = b.joined, b.left
	if b.span == 0 {
		b.span = 1
	}
	b.last = merged(b.last, p)
	if b.parts++; b.parts == b.span {
		b.flush()
	}
}

// flush makes a point of the seconds in last, and thins the points out if there
// are too many.
func (b *builder) flush() {
	if b.parts == 0 {
		return
	}
	b.points = append(b.points, b.last)
	b.last, b.parts = Point{}, 0
	if len(b.points) <= MaxPoints {
		return
	}
	thin := make([]Point, 0, MaxPoints)
	for i := 0; i+1 < len(b.points); i += 2 {
		thin = append(thin, merged(b.points[i], b.points[i+1]))
	}
	if odd := len(b.points) % 2; odd == 1 {
		b.last, b.parts = b.points[len(b.points)-1], b.span
	}
	b.points = thin
	b.span *= 2
}

// merged is two points that follow one another as one. The first may be empty.
func merged(a, b Point) Point {
	if a.Until == 0 {
		return b
	}
	m := b
	m.At = a.At
	m.Delivered.Passes += a.Delivered.Passes
	m.Delivered.Total += a.Delivered.Total
	m.Excused += a.Excused
	_, first := a.AtBest()
	_, second := b.AtBest()
	m.Latency = both(a.Latency, b.Latency)
	if m.Fastest = nil; a.Fastest != nil || b.Fastest != nil {
		m.Fastest = both(first, second)
	}
	m.Arrivals += a.Arrivals
	m.Joins += a.Joins
	m.ServerCPU = meanCPU(a, b, a.ServerCPU, b.ServerCPU)
	m.GeneratorCPU = meanCPU(a, b, a.GeneratorCPU, b.GeneratorCPU)
	m.ServerRSS = max(a.ServerRSS, b.ServerRSS)
	m.GeneratorRSS = max(a.GeneratorRSS, b.GeneratorRSS)
	m.Drops += a.Drops
	m.SendLag = max(a.SendLag, b.SendLag)
	return m
}

// both is two distributions as one, which are not changed since they may be in use; nil if
// there is neither.
func both(a, b *metric.Trend) *metric.Trend {
	if a == nil && b == nil {
		return nil
	}
	sum := metric.NewCoarseTrend()
	for _, t := range []*metric.Trend{a, b} {
		if t != nil {
			sum.Merge(t)
		}
	}
	return sum
}

// meanCPU weighs by time. What is not known of one is taken from the other.
func meanCPU(a, b Point, x, y *float64) *float64 {
	switch {
	case x == nil:
		return y
	case y == nil:
		return x
	}
	s, t := (a.Until - a.At).Seconds(), (b.Until - b.At).Seconds()
	mean := (*x*s + *y*t) / (s + t)
	return &mean
}

// series is what there is so far; the points are shared, and not changed.
func (b *builder) series() Series {
	return Series{Interval: time.Duration(max(b.span, 1)) * BucketLength, Points: slices.Clone(b.points)}
}
