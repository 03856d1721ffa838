package doubt

import "time"

// A Sum sums up what is in doubt in a run, by what gave rise to it.
type Sum struct {
	// LateFrames is how many frames went out more than 250 µs late, of Frames, and
	// Latest the greatest lateness.
	LateFrames, Frames uint64
	Latest             time.Duration
	// Stalls is how often the generator did not run, and Stalled how long in all.
	Stalls  int
	Stalled time.Duration
	// Contended is how long others took the server's cores.
	Contended time.Duration
	// Drops is how many packets the generator's side dropped.
	Drops uint64
	// Steps is how often the wall clock was stepped.
	Steps int
	// Stolen is for how long a hypervisor took the machine's cores, and Throttled for how
	// long a quota kept the generator's threads from running, both summed over cores.
	Stolen, Throttled time.Duration
	// Competed is for how long threads of the server waited for cores while the generator or others ran
	// on them, all of them together.
	Competed time.Duration
	// Ambiguous is how many packets fit several frames, and so have no latency.
	Ambiguous uint64
	// WeakMarks is how many frames had a mark so weak that they may have been lost.
	WeakMarks uint64
	// LateJoins is how many joins took longer by the generator's doing, and LostJoins
	// how many failed for which it held things up half of their time or more.
	LateJoins, LostJoins uint64
}

// Sum sums up what the register has so far.
func (d *Register) Sum() Sum {
	sum := Sum{LateFrames: uint64(d.late.Load()), Frames: uint64(d.frames.Load()), Latest: d.Latest()}
	sum.Stolen, sum.Competed = d.Cores.sums()
	d.mu.Lock()
	defer d.mu.Unlock()
	sum.Stalls, sum.Steps = d.counts[Stalled], d.counts[Stepped]
	sum.Throttled = d.throttled
	for _, one := range d.list {
		switch one.kind {
		case Stalled:
			sum.Stalled += one.until - one.from
		case Contended:
			sum.Contended += one.until - one.from
		}
	}
	return sum
}
