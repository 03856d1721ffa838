package record

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A Figure is a metric of one listener: at worst, and at best for each allotment of what the generator
// dropped. The zero Figure is that nothing is known.
type Figure struct {
	known, allotted bool
	worst           float64
	best            [len(Allotments)]float64 // the first alone, if it is not allotted
}

// NewFigure is a figure at worst, and at best if so many of the listener's packets were dropped. If it is
// not allotted, that is the same however many were.
func NewFigure(worst float64, allotted bool, best func(dropped uint64) float64) Figure {
	f := Figure{known: true, allotted: allotted, worst: worst}
	for i, dropped := range Allotments {
		if f.best[i] = best(dropped); !allotted {
			break
		}
	}
	return f
}

// An Account is what the closed account of one listener comes to.
type Account struct {
	Room     int           // its number in the run
	Joined   bool          // it heard something,
	JoinTook time.Duration // so long after it meant to begin its join
	Life     metric.Rate   // what it was owed since counting began, and got
	Steady   bool          // it was owed something in the measured window
	Heard    Heard         // in the measured window, if it joined

	Received               uint64 // different packets in the measured window
	Duplicates, OutOfOrder uint64
	FEC, RED               CopiedRate

	Jitter, Gap, Quality, Loss, Concealed, Dropouts, Latency, Frozen, Lowest, RoundTrip Figure
}

// figures are those of an account, in the order of [experiences.all].
func (a *Account) figures() []*Figure {
	return []*Figure{
		&a.Jitter, &a.Gap, &a.Quality, &a.Loss, &a.Concealed, &a.Dropouts, &a.Latency, &a.Frozen, &a.Lowest, &a.RoundTrip,
	}
}

// CloseAccount enters the closed account of a listener with the labels of a cell.
func (a *Aggregator) CloseAccount(c *Cell, account Account) {
	if c.Role == Audience {
		a.audiences.close(account, c.Probe)
	}
	c.close(account)
}

// close enters a listener's closed account.
func (c *Cell) close(a Account) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received += a.Received
	if a.Joined && a.Steady {
		c.listeners = append(c.listeners, a.Heard)
	}
	c.duplicates += a.Duplicates
	c.outOfOrder += a.OutOfOrder
	c.fec, c.red = c.fec.plus(a.FEC), c.red.plus(a.RED)
	worst, best := c.worst.all(), c.best.all()
	for i, f := range a.figures() {
		switch {
		case !f.known:
			continue
		case f.allotted:
			for n := range Allotments {
				c.allotted[n].all()[i].Record(f.best[n])
			}
		default:
			best[i].Record(f.best[0])
		}
		worst[i].Record(f.worst)
	}
}
