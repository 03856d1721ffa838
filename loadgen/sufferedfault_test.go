package loadgen

import (
	"cmp"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

const (
	runBins = 1000
	// lastHalf is how long what fails has beside the fault.
	lastHalf = 500 * time.Millisecond
)

// A sufferedFault is what goes wrong with the generator of a run whose server is sound, and
// what the run sees of it.
type sufferedFault struct {
	name  string
	cause metric.Cause
	// late is how late the frame of a bin goes out.
	late func(b timebase.Bin) time.Duration
	// lost reports whether listener i lacks the frame of a bin, by the generator's sockets or
	// since it was sent so late.
	lost func(i int, b timebase.Bin) bool
	// misread is how much later than it came a packet seems to have come.
	misread func(b timebase.Bin) time.Duration
	// slow is by how much what is under way takes longer, and own what of a round trip the
	// client's timers take.
	slow, own time.Duration
	// behind is by how much the server is behind for cores that others have.
	behind time.Duration
	// breaks means that joins come to nothing of it, and mics.
	breaks bool
	// dropped is how many packets the generator's sockets drop.
	dropped uint64
	// stopped means that the generator does nothing meanwhile.
	stopped bool
	booked  []booking
	// struck is when it begins, and lasting for how long it lasts.
	struck, lasting time.Duration
	struckBin       timebase.Bin
}

// A booking is what puts figures in doubt, and when it is known.
type booking struct {
	at   time.Duration
	book func(*record.Aggregator)
}

// once books something.
func once(at time.Duration, book func(*record.Aggregator)) []booking {
	return []booking{{at, book}}
}

// each books something of each part of [from, until), when it is over. They begin with full ones.
func each(length, from, until time.Duration, book func(a *record.Aggregator, from, until, within time.Duration)) (all []booking) {
	for at := from.Truncate(length); at < until; at += length {
		all = append(all, booking{at + length, func(a *record.Aggregator) {
			book(a, at, at+length, min(until, at+length)-max(from, at))
		}})
	}
	return all
}

// sufferedFaults are faults that begin at a time, and last.
func sufferedFaults(struck, lasting time.Duration) []sufferedFault {
	struckBin, lastingBin := timebase.BinAt(struck), timebase.BinAt(lasting)
	breaks := lasting >= time.Second // so long that a join has no more time
	during := func(b timebase.Bin, n timebase.Bin) bool { return b >= struckBin && b < struckBin+n }
	none := func(timebase.Bin) time.Duration { return 0 }
	nothing := func(int, timebase.Bin) bool { return false }
	// until is how late what is due is that goes out together after so many bins.
	until := func(n timebase.Bin) func(timebase.Bin) time.Duration {
		return func(b timebase.Bin) time.Duration {
			if during(b, n) {
				return (struckBin + n - b).Start()
			}
			return 0
		}
	}
	// waited is how late what waits for a core is: it goes out together when there is one. It is not misread,
	// but as late as it seems.
	waited := func(b timebase.Bin) time.Duration { return min(lasting/2, until(lastingBin*3/2)(b)) }
	// An observer looks once a second.
	seen := struck.Truncate(time.Second) + time.Second
	drop := func(n uint64, at time.Duration) booking {
		return booking{at, func(a *record.Aggregator) { a.Drop(n, at-2*time.Second, at) }}
	}
	all := []sufferedFault{
		{name: "none", late: none, lost: nothing, misread: none},
		{
			name: "stall", cause: metric.Stalls, lost: func(_ int, b timebase.Bin) bool { return during(b, 2) }, misread: none, slow: lasting, own: lasting, breaks: breaks,
			late: until(lastingBin), stopped: true,
			booked: once(struck+lasting, func(a *record.Aggregator) { a.Doubt(doubt.Stalled, struck, struck+lasting) }),
		},
		{
			// Stamps around the step are not used, but the time of the reading. They were read together.
			name: "clock step", cause: metric.ClockSteps, late: none, lost: nothing, misread: until(min(40, timebase.BinAt(seen-struck))),
			booked: once(seen, func(a *record.Aggregator) { a.Doubt(doubt.Stepped, seen-2*time.Second, seen) }),
		},
		{
			name: "drops", cause: metric.Drops, late: none, lost: func(i int, b timebase.Bin) bool { return i == 0 && during(b, 10) || i == 2 && b == struckBin+2 }, misread: none,
			slow: min(lasting, time.Second), breaks: lasting == time.Second, dropped: 20,
			booked: []booking{drop(1, seen), drop(19, seen+time.Second)},
		},
		{
			name: "late sends", cause: metric.LateFrames, lost: func(_ int, b timebase.Bin) bool { return during(b, 2) }, misread: none, late: until(lastingBin),
		},
		{
			name: "shared cores", cause: metric.SharedCores, late: none, lost: func(_ int, b timebase.Bin) bool { return during(b, 2) }, misread: waited, slow: lasting / 2, behind: lasting / 2,
			booked: each(100*time.Millisecond, struck, struck+lasting*3/2, func(a *record.Aggregator, from, until, within time.Duration) {
				a.Compete(from, until, within, lasting/2, true)
			}),
		},
		{
			name: "taken cores", cause: metric.TakenCores, late: none, misread: waited, slow: lasting / 2, behind: lasting / 2, breaks: breaks,
			lost: func(_ int, b timebase.Bin) bool { return during(b, 2) },
			booked: each(time.Second, struck, struck+lasting*3/2, func(a *record.Aggregator, from, until, within time.Duration) {
				a.Doubts.Contend(from, until, within)
				a.Deprive(max(0, from-time.Second), until, lasting/2)
			}),
		},
		{
			name: "quota", cause: metric.Quotas, late: none, lost: nothing, misread: none, slow: lasting / 2, own: lasting / 2, breaks: breaks,
			booked: each(time.Second, struck, struck+lasting, func(a *record.Aggregator, from, until, within time.Duration) { a.Doubts.Throttle(from, until, within) }),
		},
		{
			name: "stolen cores", cause: metric.StolenCores, late: none, slow: lasting, own: lasting, breaks: breaks, misread: until(lastingBin),
			lost:   func(_ int, b timebase.Bin) bool { return during(b, 2) },
			booked: each(time.Second, struck, struck+lasting, func(a *record.Aggregator, from, until, within time.Duration) { a.Steal(from, until, 2*within, 0) }),
		},
	}
	for i := range all {
		all[i].struck, all[i].struckBin, all[i].lasting = struck, struckBin, lasting
	}
	return all
}

// pausedMachine is that a hypervisor lets nothing run for a time, which is seen as a stall and as stolen cores.
func pausedMachine(struck, lasting time.Duration) (f sufferedFault) {
	for _, one := range sufferedFaults(struck, lasting) {
		switch one.cause {
		case metric.Stalls:
			f = one
			booked := one.booked
			defer func() { f.booked = append(booked, f.booked...) }()
		case metric.StolenCores:
			f.booked = one.booked
		}
	}
	f.name = "paused machine"
	f.misread = func(b timebase.Bin) time.Duration {
		if b == f.struckBin-1 { // it was under way
			return lasting
		}
		return 0
	}
	return f
}

// and is both faults. What is slow, or breaks, is so by the first.
func (f sufferedFault) and(next sufferedFault) sufferedFault {
	both := f
	both.late = func(b timebase.Bin) time.Duration { return max(f.late(b), next.late(b)) }
	both.lost = func(i int, b timebase.Bin) bool { return f.lost(i, b) || next.lost(i, b) }
	both.misread = func(b timebase.Bin) time.Duration { return f.misread(b) + next.misread(b) }
	both.booked = append(slices.Clone(f.booked), next.booked...)
	slices.SortStableFunc(both.booked, func(a, b booking) int { return cmp.Compare(a.at, b.at) })
	return both
}
