package usage

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/record"
)

const (
	// othersBusy is from which share of the machine's cores on others than the
	// server and the generator are in the way, if idleLeft of it or less is idle.
	othersBusy = 0.1
	idleLeft   = 0.15
	// MaxCPU is the share of the cores that it may use that the generator may use
	// up beside a server on its own machine: beyond, it is in the server's way.
	MaxCPU = 0.9
	// MaxCPUWait is how many of the generator's threads may wait for a core, for
	// each core that it may use.
	MaxCPUWait = 1.0
)

// An Interference books by how much the generator, others on its machine, or a quota were in the
// way of the server and of the generator itself. It is for one goroutine.
type Interference struct {
	aggregator *record.Aggregator
	machine    Machine
	last       Sample
	// cores is the last sample in which it is known what the machine's cores had done.
	cores Sample
	// backlog is by how much the server may be behind through others.
	backlog time.Duration
}

// NewInterference returns an interference that books what happens after a sample.
func NewInterference(a *record.Aggregator, m Machine, first Sample) *Interference {
	return &Interference{aggregator: a, machine: m, last: first, cores: first}
}

// Book books what happened between the last sample and now.
func (i *Interference) Book(now Sample) {
	before := i.last
	i.BookOpening(now)
	if stolen, idle := stolen(i.cores, now); stolen > 0 {
		i.aggregator.Steal(i.cores.At, now.At, stolen, idle)
	}
	if now.machine != nil {
		i.cores = now
	}
	if i.backlog = i.machine.backlog(i.backlog, before, now); i.backlog > 0 {
		// What a thread waits is known when it runs again.
		i.aggregator.Deprive(max(0, before.At-time.Second), now.At, i.backlog)
	}
}

// BookOpening is Book while rooms open, when nothing is kept by the second yet.
func (i *Interference) BookOpening(now Sample) {
	before := i.last
	i.last = now
	i.aggregator.Doubts.Throttle(before.At, now.At, throttled(before, now))
	i.aggregator.Doubts.Starve(before.At, now.At, i.machine.starved(before, now))
	if i.machine.contended(before, now) {
		i.aggregator.Doubts.Contend(before.At, now.At, i.machine.waited(before, now))
	}
}

// A Machine is the generator's: so many of its cores the generator may use, and local means
// that the server is on it, too.
type Machine struct {
	Cores int
	Local bool
}

// contended reports whether the cores of the server's machine were taken between two
// samples, or may have been, by others than the server or by the generator itself, or whether the
// generator had to wait for one. Of a server elsewhere nothing is known.
func (m Machine) contended(a, b Sample) bool {
	elapsed := (b.At - a.At).Seconds()
	if !m.Local || elapsed <= 0 {
		return false
	}
	taken, known := m.taken(a, b)
	return taken || !known && crowded(a, b) || (b.Wait-a.Wait).Seconds()/elapsed > MaxCPUWait*float64(m.Cores)
}

// stolen returns for how long a hypervisor took the machine's cores between two samples,
// summed over them, and which share of the time they were idle.
func stolen(a, b Sample) (took time.Duration, idle float64) {
	if a.machine == nil || b.machine == nil {
		return 0, 0
	}
	machine := b.machine.Sub(*a.machine)
	if machine.All() <= 0 {
		return 0, 0
	}
	return max(0, machine.Steal), machine.Idle.Seconds() / machine.All().Seconds()
}

// throttled returns for how long a quota kept the generator's threads from running between two
// samples, summed over cores: all the time if that is not known.
func throttled(a, b Sample) time.Duration {
	if took, known := b.Group.Since(a.Group); known {
		return took
	}
	return b.At - a.At
}

// throttledServer returns for how long a quota that the server shares with the generator, or
// shared for a part of the time, or may share, kept the server from running between two samples, at
// most. If nearly all that was used was the server's, that is its own work.
func throttledServer(a, b Sample) time.Duration {
	if !a.shared && !b.shared || b.Ended {
		return 0
	}
	own := b.Own - a.Own
	if server, known := ServerCPU(a, b); known && own.Seconds() <= othersBusy*(own+server).Seconds() {
		return 0
	}
	if a.shared != b.shared {
		return min(b.At-a.At, record.Lateness)
	}
	return min(throttled(a, b), record.Lateness)
}

// deprived returns for how long the server may have waited between two samples for
// cores that others took, or for a quota that they used up. What the server's own work
// costs it is not among that.
func (m Machine) deprived(a, b Sample) time.Duration {
	return min(throttledServer(a, b)+m.outrun(a, b), record.Lateness)
}

// outrun returns for how long it may have waited for cores that others took.
func (m Machine) outrun(a, b Sample) time.Duration {
	if !m.contended(a, b) {
		return 0
	}
	taken, known := m.taken(a, b)
	switch {
	case !known:
		return record.Lateness // it is not known who took them
	case !taken:
		return 0 // the server itself
	}
	if a.Server != nil && b.Server != nil {
		if wait, ok := b.Server.WaitSince(*a.Server); ok {
			return min(wait, record.Lateness)
		}
	}
	return record.Lateness
}

// backlog returns by how much the server may be behind through others after a sample,
// if it was behind by was before. It can't catch up until a core is free.
func (m Machine) backlog(was time.Duration, a, b Sample) time.Duration {
	wait := m.deprived(a, b)
	if wait == 0 && a.machine != nil && b.machine != nil {
		machine := b.machine.Sub(*a.machine)
		if machine.Idle.Seconds() >= idleLeft*machine.All().Seconds() {
			return 0
		}
	}
	return min(was+wait, record.Lateness)
}

// waited returns for how long threads of generator and server waited for a core between
// two samples, all of them together; all the time if that is not known, or if the
// generator used up its cores.
func (m Machine) waited(a, b Sample) time.Duration {
	if a.Server != nil && b.Server != nil && b.Wait > 0 && !m.saturated(a, b) {
		if wait, ok := b.Server.WaitSince(*a.Server); ok {
			return wait + max(0, b.Wait-a.Wait)
		}
	}
	return b.At - a.At
}

// starved returns for how long the generator's threads waited for a core between two
// samples, all of them together, and not since the server itself had it: of what ran
// instead, as much was the server's as of all that ran. Who uses up a quota waited all the
// time.
func (m Machine) starved(a, b Sample) time.Duration {
	elapsed := b.At - a.At
	if quota := b.Group.Quota; quota > 0 && (b.Own-a.Own).Seconds() > MaxCPU*quota*elapsed.Seconds() {
		return elapsed
	}
	wait := max(0, b.Wait-a.Wait)
	server, known := ServerCPU(a, b)
	if !m.Local || a.machine == nil || b.machine == nil || !known {
		return wait
	}
	busy := b.machine.Sub(*a.machine).Busy
	if busy <= 0 {
		return wait
	}
	return time.Duration(float64(wait) * max(0, 1-server.Seconds()/busy.Seconds()))
}

// taken reports whether the generator, or others than the server, took the machine's
// cores between two samples; known is false if it can't be said who did.
func (m Machine) taken(a, b Sample) (taken, known bool) {
	if m.saturated(a, b) {
		return true, true
	}
	server, known := ServerCPU(a, b)
	if !known || a.machine == nil || b.machine == nil || b.machine.Sub(*a.machine).All() <= 0 {
		return false, false
	}
	return takenByOthers(a, b, server), true
}

// crowded reports whether all but the generator, the server among them, took the machine's cores
// between two samples.
func crowded(a, b Sample) bool {
	return a.machine != nil && b.machine != nil && takenByOthers(a, b, 0)
}

// takenByOthers reports whether others than the generator took the machine's cores between two
// samples, beyond what the server used.
func takenByOthers(a, b Sample, server time.Duration) bool {
	machine := b.machine.Sub(*a.machine)
	all := machine.All().Seconds()
	others := machine.Busy - (b.Own - a.Own) - max(0, b.kin-a.kin) - server + machine.Steal
	return others.Seconds() > othersBusy*all && machine.Idle.Seconds() < idleLeft*all
}

// saturated reports whether the generator used up the cores that it may use.
func (m Machine) saturated(a, b Sample) bool {
	return (b.Own - a.Own).Seconds() > MaxCPU*float64(m.Cores)*(b.At-a.At).Seconds()
}
