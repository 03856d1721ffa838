package ledger

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

const (
	// stepBits is how finely a spread keeps values: 2⁶ steps to a doubling, so that a
	// value is at most 1.6 % too high.
	stepBits = 6
	steps    = 1 << stepBits
	// doublings is how many there are, to 8 s.
	doublings = 23 - stepBits + 1
)

// A spread is a histogram of one listener's latencies. Its parts are made as they are
// needed, since most listeners' latencies are within a few doublings: 256 bytes each.
type spread struct {
	samples uint64
	most    int32
	parts   [doublings]*[steps]uint32
}

// add enters a latency in µs.
func (s *spread) add(v int32) {
	s.samples++
	s.most = max(s.most, v)
	part := max(0, bits.Len32(uint32(v))-stepBits)
	place := int(v >> max(0, part-1) & (steps - 1))
	if part >= doublings {
		part, place = doublings-1, steps-1
	}
	if s.parts[part] == nil {
		s.parts[part] = new([steps]uint32)
	}
	s.parts[part][place]++
}

// p99 is the least latency that at least 99 % of the samples do not exceed; there has to
// be a sample. But is of how many of the samples nothing is known: then it is the least that it
// can be.
func (s *spread) p99(but uint64) time.Duration {
	beyond := s.samples - (s.samples*99+99)/100
	beyond += min(but, s.samples-beyond)
	for part := doublings - 1; part >= 0; part-- {
		if s.parts[part] == nil {
			continue
		}
		for place := steps - 1; place >= 0; place-- {
			n := uint64(s.parts[part][place])
			if n <= beyond {
				beyond -= n
				continue
			}
			top := int32(place) // of the values with this place
			if part > 0 {
				top = (int32(steps+place)+1)<<(part-1) - 1
			}
			return time.Duration(min(top, s.most)) * time.Microsecond
		}
	}
	return 0
}

func (s *spread) clone() *spread {
	c := *s
	for i, part := range s.parts {
		if part != nil {
			copied := *part
			c.parts[i] = &copied
		}
	}
	return &c
}

// endJitter enters what the packets of an epoch had of jitter at best. A thread that waits
// for a core makes a stretch of late packets, and one that is caught up with adds so much to
// the sum, for each of the times that it was kept from running.
func (l *Listener) endJitter(u uncertainty) {
	r := &l.received
	best := max(0, r.jitterNow-2*(u.stolen+u.deprived+max(u.waited, u.behind)))
	switch {
	case u.stepped: // it is not known when they came
	case u.dropped > 0: // or could have
		l.jitterDropped += best
	default:
		r.jitterBest += best
	}
	r.jitterNow = 0
}

// jitter is the sum of the listener's jitter at best, if the generator dropped no more than so many
// of its packets. One that comes late adds its delay to the sum twice, when it comes and when the next
// one does.
func (l *Listener) jitter(dropped uint64) time.Duration {
	const most = uint64(math.MaxInt64 / (2 * doubt.ResentWithin))
	return l.received.jitterBest + max(0, l.jitterDropped-time.Duration(min(dropped, most))*2*doubt.ResentWithin)
}

// A doubtfulLatency may be less by the generator's doing, both in µs.
type doubtfulLatency struct{ worst, best int32 }

// latencySpread is one listener's latencies in the measured window.
type latencySpread struct {
	worst spread
	best  *spread // nil as long as it is the same
	// undropped is best if the generator dropped nothing, and best if it dropped as many of the
	// listener's packets as may have been; nil as long as it is the same.
	undropped *spread
	fastest   int32   // of those without doubt, in µs; 0 before there are any
	epoch     []int32 // of the present epoch without doubt of their own, in µs
	late      []doubtfulLatency
}

// enterLatency keeps a packet's latency until the end of the epoch, when it is known
// whether the time was in doubt.
func (l *Listener) enterLatency(latency, late time.Duration) {
	if late == 0 {
		r := &l.received
		r.recent[r.held] = inMicroseconds(latency)
		if r.held++; int(r.held) == len(r.recent) {
			l.spillLatencies()
		}
		return
	}
	l.latencies.late = append(l.latencies.late, doubtfulLatency{inMicroseconds(latency), inMicroseconds(max(0, latency-late))})
}

// spillLatencies moves the recent latencies to those of the epoch.
func (l *Listener) spillLatencies() {
	l.latencies.epoch = append(l.latencies.epoch, l.received.recent[:l.received.held]...)
	l.received.held = 0
}

func inMicroseconds(d time.Duration) int32 {
	return int32(min(max((d+500*time.Nanosecond)/time.Microsecond, 0), math.MaxInt32))
}

// An uncertainty is what is in doubt of the latencies of an epoch.
type uncertainty struct {
	deprived time.Duration // for so long the server waited for a core
	// So long it waited for one that it shared, was behind for that at most, and whether it was always.
	waited, behind time.Duration
	always         bool
	stepped        bool          // the wall clock was stepped
	stolen         time.Duration // for so long a hypervisor took the cores,
	reach          float64       // and that may have reached this share of the packets
	dropped        uint64        // so many packets the generator dropped, and who asks for them again gets them late
}

// of is what is in doubt for listeners with the labels.
func (u uncertainty) of(labels record.Labels) uncertainty {
	if !labels.AsksAgain() {
		u.dropped = 0
	}
	return u
}

// endEpoch enters the latencies of an epoch.
func (a *latencySpread) endEpoch(u uncertainty) {
	recent := a.epoch
	switch {
	case u.stepped: // nothing is known of any of them
		for range len(recent) + len(a.late) {
			a.enter(inMicroseconds(record.Lateness), 0, 0)
		}
	case u.deprived+u.behind > 0 || u.stolen > 0 || u.dropped > 0: // at best none of them waited, and was as fast as the fastest
		for _, v := range recent {
			a.late = append(a.late, doubtfulLatency{v, v})
		}
		slices.SortFunc(a.late, func(x, y doubtfulLatency) int { return cmp.Compare(y.best, x.best) })
		if n := len(a.late); n > 0 && u.deprived == 0 && !u.always && u.reach < 1 && u.dropped < uint64(n) && (a.fastest == 0 || a.late[n-1].best < a.fastest) {
			a.fastest = max(a.late[n-1].best, 1)
		}
		reached := int(doubt.Share(uint64(len(a.late)), u.reach)) // the slowest
		for i, v := range a.late {
			waited := u.deprived + u.behind
			if i < reached {
				waited += u.stolen
			}
			undropped := min(v.best, max(v.best-inMicroseconds(waited), a.fastest))
			if uint64(i) < u.dropped {
				waited += doubt.ResentWithin
			}
			a.enter(v.worst, undropped, min(v.best, max(v.best-inMicroseconds(waited), a.fastest)))
		}
	default:
		for _, v := range recent {
			if a.fastest == 0 || v < a.fastest {
				a.fastest = max(v, 1)
			}
			a.enter(v, v, v)
		}
		for _, v := range a.late {
			a.enter(v.worst, v.best, v.best)
		}
	}
	a.epoch, a.late = a.epoch[:0], a.late[:0]
}

func (a *latencySpread) enter(worst, undropped, best int32) {
	if best != worst && a.best == nil {
		a.best = a.worst.clone()
	}
	if best != undropped && a.undropped == nil {
		a.undropped = a.best.clone()
	}
	a.worst.add(worst)
	if a.undropped != nil {
		a.undropped.add(undropped)
	}
	if a.best != nil {
		a.best.add(best)
	}
}

// p99 is the listener's 99th percentile at worst, and at best, if the generator dropped no
// more than so many packets. Who received nothing has none: of them it is at least what is still
// called late.
func (l *Listener) p99(dropped uint64) (worst, best time.Duration) {
	a := l.latencies
	switch {
	case a.worst.samples == 0 && l.steady.excused+min(dropped, l.steady.droppable) > 0:
		return record.Lateness, 0
	case a.worst.samples == 0:
		return record.Lateness, record.Lateness
	case a.best == nil:
		worst = a.worst.p99(0)
		return worst, worst
	}
	best = a.best.p99(0)
	if a.undropped != nil {
		best = max(best, a.undropped.p99(dropped))
	}
	return a.worst.p99(0), best
}

// firstCheck is how long at most a client waits until it checks its consent again.
const firstCheck = 3 * time.Second

// trips are the round trips of a listener's consent checks in the measured window.
type trips struct {
	count int
	worst time.Duration // their sum
	best  time.Duration // the same, less what the generator may have added
	// recent is how many of them are of the present epoch, and now what these add to best
	// unless it is in doubt.
	recent int
	now    time.Duration
}

// endEpoch enters what the round trips of an epoch were at best: none of them waited for a
// core that others had, and of those whose end is not known nothing is.
func (t *trips) endEpoch(u uncertainty) {
	if !u.stepped {
		t.best += max(0, t.now-time.Duration(t.recent)*(u.deprived+u.behind+u.stolen))
	}
	t.recent, t.now = 0, 0
}

// RoundTrip enters that a check of the listener's consent (RFC 7675) was sent and its
// answer received. Of the time between so much may be the generator's own.
func (l *Listener) RoundTrip(sent, received, own time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := timebase.BinAt(max(sent, 0)); !l.ledger.inSteady(b) || b >= l.until {
		return
	}
	l.trips.count++
	l.trips.worst += received - sent
	l.trips.recent++
	l.trips.now += max(0, received-sent-own)
}

// Unchecked says that nobody sees the checks of the listener's client: nothing is known of
// their round trips.
func (l *Listener) Unchecked() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unchecked = true
}

// AskRedundant says that the listener prefers redundant audio, which everybody who sends has.
// A ledger of marked audio does not tell copies, and takes no notice.
func (l *Listener) AskRedundant() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asksRED = l.marked == nil
}

// roundTrip is the listener's mean, at worst and at best; false if nothing is known. Of a
// listener whose checks in the measured window were never answered it is at least how long
// they waited.
func (l *Listener) roundTrip(doubts *doubt.Register) (worst, best time.Duration, ok bool) {
	if n := time.Duration(l.trips.count); n > 0 {
		return l.trips.worst / n, l.trips.best / n, true
	}
	from, until := l.ledger.aggregator.MeasuredWindow()
	until = min(until, l.until)
	waited := until.Start() - from.Start() - firstCheck
	if l.cell.Probe || l.unchecked || !l.joined || l.firstAt > from.Start() || waited < firstCheck {
		return 0, 0, false
	}
	if best = waited; doubts.Hindered(from.Start(), until.Start()) > 0 {
		best = 0
	}
	return waited, best, true
}
