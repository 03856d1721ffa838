package ledger

import (
	"math"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// account is what the listener's account comes to. It is closed, and the lock is held.
func (l *Listener) account() record.Account {
	a := record.Account{
		Room: l.ledger.room, Joined: l.joined, JoinTook: l.firstAt - l.intended, Life: metric.Rate{Passes: l.life.passes, Total: l.life.total},
		Steady: l.steady.total > 0, Received: l.received.packets, Duplicates: l.duplicates, OutOfOrder: l.outOfOrder,
	}
	r := &l.received
	if r.jitters > 0 {
		n := float64(r.jitters)
		a.Jitter = record.NewFigure(metric.InMilliseconds(r.jitterSum)/n, l.jitterDropped > 0, func(dropped uint64) float64 { return metric.InMilliseconds(l.jitter(dropped)) / n })
	}
	droppable := l.life.droppable > 0
	if a.Steady {
		a.Heard = l.heardShare()
		a.Gap = record.NewFigure(metric.InMilliseconds(r.gap), r.gapDropped > max(0, r.gapBest), func(dropped uint64) float64 { return metric.InMilliseconds(r.gapAtBest(dropped)) })
		l.enterQuality(&a)
		if lowest := &l.windowed.lowest; l.windowed.any {
			a.Lowest = lowest.Figure(droppable)
		}
		a.FEC, a.RED = l.fec(), l.red()
		slow, _ := l.p99(0)
		a.Latency = record.NewFigure(metric.InMilliseconds(slow), l.steady.droppable > 0 || l.latencies.undropped != nil, func(dropped uint64) float64 {
			_, fast := l.p99(dropped)
			return metric.InMilliseconds(fast)
		})
	}
	if worst, best, ok := l.roundTrip(&l.ledger.aggregator.Doubts); ok {
		a.RoundTrip = record.NewFigure(metric.InMilliseconds(worst), false, func(uint64) float64 { return metric.InMilliseconds(best) })
	}
	if d := l.life; d.total > 0 {
		lost := d.total - d.passes
		share := func(lost uint64) float64 { return 100 * float64(lost) / float64(d.total) }
		a.Loss = record.NewFigure(share(lost), droppable, func(dropped uint64) float64 {
			return share(lost - min(lost, d.excused+min(dropped, d.droppable)))
		})
	}
	return a
}

// enterQuality enters what the listener's jitter buffers made of the measured window.
func (l *Listener) enterQuality(a *record.Account) {
	factors, hearing := l.ledger.factors(), l.hearing()
	worst, best := hearing.worst(factors), map[uint64]quality{}
	figure := func(of func(quality) float64) record.Figure {
		return record.NewFigure(of(worst), l.life.droppable > 0, func(dropped uint64) float64 {
			q, ok := best[dropped]
			if !ok {
				q = hearing.best(factors, dropped)
				best[dropped] = q
			}
			return of(q)
		})
	}
	a.Quality = figure(quality.mos)
	a.Concealed = figure(func(q quality) float64 { return 100 * q.concealment() })
	a.Dropouts = figure(quality.gapsPerMinute)
	a.Frozen = figure(func(q quality) float64 { return metric.InMilliseconds(q.frozen) })
}

// gapAtBest is the longest gap at best. So many packets that were dropped can have been so many pieces
// of it.
func (r *reception) gapAtBest(dropped uint64) time.Duration {
	best := max(0, r.gapBest)
	if dropped >= math.MaxInt64 || r.gapDropped <= best {
		return best
	}
	return max(best, r.gapDropped/time.Duration(dropped+1))
}

func (l *Listener) heardShare() record.Heard {
	h := record.Heard{Delivered: float64(l.steady.passes) / float64(l.steady.total)}
	if l.received.packets > 0 {
		h.Latency = l.received.latency / time.Duration(l.received.packets)
	}
	return h
}

// Owed returns how many packets the listener was due, and how many of them did not come. It
// is false for one that is not in.
func (l *Listener) Owed() (due, lost uint64, in bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.life.total, l.life.total - l.life.passes, l.joined
}
