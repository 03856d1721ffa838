package clock

import "time"

const (
	// MaxDrift is how fast two clocks may drift apart, in parts per million: two of quartz
	// that are each 100 off, which is much, at their worst.
	MaxDrift = 200
	million  = 1_000_000
)

// An Offset is how far another machine's clock is ahead of ours at a moment: by
// something from Least to Most.
type Offset struct {
	Least, Most time.Duration
}

// Middle is the value with the least possible error.
func (o Offset) Middle() time.Duration { return o.Least + (o.Most-o.Least)/2 }

// Bound is by how much Middle can be wrong.
func (o Offset) Bound() time.Duration { return (o.Most - o.Least + 1) / 2 }

// apart is what the offset can be at a moment that is d of our clock apart from those at
// which it was o.
func (o Offset) apart(d time.Duration) Offset {
	drift := drift(d)
	return Offset{o.Least - drift, o.Most + drift}
}

// and is what both allow. It is empty if they exclude one another.
func (o Offset) and(other Offset) Offset {
	return Offset{max(o.Least, other.Least), min(o.Most, other.Most)}
}

func (o Offset) empty() bool { return o.Least > o.Most }

// drift is by how much the offset can change in a time of our clock, rounded up.
func drift(d time.Duration) time.Duration {
	return d/million*MaxDrift + (d%million*MaxDrift+million-1)/million
}
