package clock

import "time"

// A Clock is the clock of one machine. It is safe for concurrent use.
type Clock interface {
	// Now is what the clock shows: the time since its zero. The clock is never set.
	Now() time.Duration
	// Zero is what UTC was at the clock's zero, as far as the machine knows.
	Zero() UTC
}

// UTC is a time of UTC in nanoseconds since 1970, as a machine knows it.
type UTC struct {
	At     int64
	Within time.Duration // how far from At it can be at most; negative: not known
}

// known reports whether there is a bound.
func (u UTC) known() bool { return u.Within >= 0 }

// ahead is how far the clock with the zero u is ahead of the one with the zero ours.
func (u UTC) ahead(ours UTC) Offset {
	middle, within := time.Duration(ours.At-u.At), ours.Within+u.Within
	return Offset{middle - within, middle + within}
}

// OfMachine is a clock of this machine. now must run with the process's monotonic clock,
// whatever its zero, as that of a run does.
func OfMachine(now func() time.Duration) Clock { return machine{now} }

type machine struct{ now func() time.Duration }

func (m machine) Now() time.Duration { return m.now() }

func (m machine) Zero() UTC {
	within, known := discipline()
	if !known {
		return UTC{Within: -1}
	}
	before := m.now()
	wall := time.Now().UnixNano()
	took := m.now() - before
	// The process may have been held up between the readings.
	return UTC{At: wall - int64(before+took/2), Within: within + took}
}
