package loadgen

import (
	"context"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
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

// An observer looks about once a second at what both processes and their machine
// do, and books what puts figures in doubt. It is for one goroutine.
type observer struct {
	run  *run
	last sample
	// lost is how many packets the generator's side has dropped, as far as it was known at a time.
	lost   uint64
	lostAt time.Duration
	// cores is the last sample in which it is known what the machine's cores had done.
	cores sample
	// backlog is by how much the server may be behind through others.
	backlog     time.Duration
	competition *competition // nil for a server elsewhere
}

// watch settles the accounts, keeps the series and tells of the run's progress,
// about once a second, until ctx is done.
func (r *run) watch(ctx context.Context) {
	o := &observer{run: r, last: r.sampler.sample(ctx), lost: r.lost()}
	o.lostAt, o.cores = o.last.at, o.last
	stalls := &host.Watchdog{Report: func(from, until time.Time) {
		r.aggregator.Doubt(doubt.Stalled, r.clock.Since(from), r.clock.Since(until))
	}}
	stalls.Start()
	defer stalls.Close()
	if r.Driver.Loopback() {
		o.competition = &competition{clock: r.clock, aggregator: r.aggregator}
		o.competition.follow(o.last.server)
		var done sync.WaitGroup
		done.Go(func() { o.competition.watch(ctx) })
		defer done.Wait()
	}
	every := time.Second
	if r.peers != nil {
		every -= record.RetireAfter
	}
	for pause(ctx, every) {
		o.observe(ctx)
		settled := r.settle()
		if r.peers != nil {
			if !pause(ctx, record.RetireAfter) {
				break
			}
			r.aggregator.Drain(r.clock.Now(), settled) // the coordinator waits for it
			r.peers.measured(o.last)
			continue // the coordinator judges and reports
		}
		r.checkAborts()
		r.report()
	}
	// What was dropped last is in doubt, too.
	o.observe(context.WithoutCancel(ctx))
}

// observe books what happened since the last time.
func (o *observer) observe(ctx context.Context) {
	r, before := o.run, o.last
	now := r.sampler.sample(ctx)
	if step := r.clock.Sync(); step > 0 {
		r.health.recordClockStep(step)
		r.aggregator.Doubt(doubt.Stepped, max(0, before.at-time.Second), now.at)
	}
	drops := o.drops(now.at)
	if stolen, idle := stolen(o.cores, now); stolen > 0 {
		r.aggregator.Steal(o.cores.at, now.at, stolen, idle)
	}
	if now.machine != nil {
		o.cores = now
	}
	r.aggregator.Doubts.Throttle(before.at, now.at, throttled(before, now))
	r.aggregator.Doubts.Starve(before.at, now.at, r.starved(before, now))
	if r.contended(before, now) {
		r.aggregator.Doubts.Contend(before.at, now.at, r.waited(before, now))
	}
	if o.backlog = r.backlog(o.backlog, before, now); o.backlog > 0 {
		// What a thread waits is known when it runs again.
		r.aggregator.Deprive(max(0, before.at-time.Second), now.at, o.backlog)
	}
	if o.competition != nil {
		o.competition.follow(now.server)
	}
	if now.server != nil {
		r.used.Store(&now)
		if r.phase.is(record.Steady) {
			r.peak.Store(max(r.peak.Load(), now.server.Memory))
		}
	}
	r.lastLoad = load(before, now, drops)
	r.aggregator.Load(r.lastLoad)
	o.last = now
}

// drops books what the generator's side dropped by now, since it was known the last time, and
// returns it.
func (o *observer) drops(now time.Duration) uint64 {
	r := o.run
	_, complete := r.health.dropped.Read()
	drops, from := o.enter(r.lost(), complete, now)
	r.dropped.Store(o.lost)
	r.aggregator.Drop(drops, from, now)
	return drops
}

// enter enters how many packets have been dropped by now, all of them or as many as are known yet.
// It returns how many those are that were not known before, and since when they may have been.
func (o *observer) enter(lost uint64, complete bool, now time.Duration) (drops uint64, from time.Duration) {
	from = max(0, o.lostAt-time.Second) // a drop is known with the next packet
	if lost > o.lost {                  // it is less for a moment while a client's socket is replaced
		drops, o.lost = lost-o.lost, lost
	}
	if complete {
		o.lostAt = now
	}
	return drops, from
}

// contended reports whether the cores of the server's machine were taken between two
// samples, or may have been, by others than the server or by the generator itself, or whether the
// generator had to wait for one. Of a server elsewhere nothing is known.
func (r *run) contended(a, b sample) bool {
	elapsed := (b.at - a.at).Seconds()
	if !r.Driver.Loopback() || elapsed <= 0 {
		return false
	}
	taken, known := r.taken(a, b)
	return taken || !known && crowded(a, b) || (b.wait-a.wait).Seconds()/elapsed > MaxCPUWait*float64(r.cores)
}

// stolen returns for how long a hypervisor took the machine's cores between two samples,
// summed over them, and which share of the time they were idle.
func stolen(a, b sample) (took time.Duration, idle float64) {
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
func throttled(a, b sample) time.Duration {
	if took, known := b.group.Since(a.group); known {
		return took
	}
	return b.at - a.at
}

// throttledServer returns for how long a quota that the server shares with the generator, or
// shared for a part of the time, or may share, kept the server from running between two samples, at
// most. If nearly all that was used was the server's, that is its own work.
func throttledServer(a, b sample) time.Duration {
	if !a.shared && !b.shared || b.ended {
		return 0
	}
	own := b.own - a.own
	if server, known := serverCPU(a, b); known && own.Seconds() <= othersBusy*(own+server).Seconds() {
		return 0
	}
	if a.shared != b.shared {
		return min(b.at-a.at, record.Lateness)
	}
	return min(throttled(a, b), record.Lateness)
}

// deprived returns for how long the server may have waited between two samples for
// cores that others took, or for a quota that they used up. What the server's own work
// costs it is not among that.
func (r *run) deprived(a, b sample) time.Duration {
	return min(throttledServer(a, b)+r.outrun(a, b), record.Lateness)
}

// outrun returns for how long it may have waited for cores that others took.
func (r *run) outrun(a, b sample) time.Duration {
	if !r.contended(a, b) {
		return 0
	}
	taken, known := r.taken(a, b)
	switch {
	case !known:
		return record.Lateness // it is not known who took them
	case !taken:
		return 0 // the server itself
	}
	if a.server != nil && b.server != nil {
		if wait, ok := b.server.WaitSince(*a.server); ok {
			return min(wait, record.Lateness)
		}
	}
	return record.Lateness
}

// backlog returns by how much the server may be behind through others after a sample,
// if it was behind by was before. It can't catch up until a core is free.
func (r *run) backlog(was time.Duration, a, b sample) time.Duration {
	wait := r.deprived(a, b)
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
func (r *run) waited(a, b sample) time.Duration {
	if a.server != nil && b.server != nil && b.wait > 0 && !r.saturated(a, b) {
		if wait, ok := b.server.WaitSince(*a.server); ok {
			return wait + max(0, b.wait-a.wait)
		}
	}
	return b.at - a.at
}

// starved returns for how long the generator's threads waited for a core between two
// samples, all of them together, and not since the server itself had it: of what ran
// instead, as much was the server's as of all that ran. Who uses up a quota waited all the
// time.
func (r *run) starved(a, b sample) time.Duration {
	elapsed := b.at - a.at
	if quota := b.group.Quota; quota > 0 && (b.own-a.own).Seconds() > MaxCPU*quota*elapsed.Seconds() {
		return elapsed
	}
	wait := max(0, b.wait-a.wait)
	server, known := serverCPU(a, b)
	if !r.Driver.Loopback() || a.machine == nil || b.machine == nil || !known {
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
func (r *run) taken(a, b sample) (taken, known bool) {
	if r.saturated(a, b) {
		return true, true
	}
	server, known := serverCPU(a, b)
	if !known || a.machine == nil || b.machine == nil || b.machine.Sub(*a.machine).All() <= 0 {
		return false, false
	}
	return takenByOthers(a, b, server), true
}

// crowded reports whether all but the generator, the server among them, took the machine's cores
// between two samples.
func crowded(a, b sample) bool {
	return a.machine != nil && b.machine != nil && takenByOthers(a, b, 0)
}

// takenByOthers reports whether others than the generator took the machine's cores between two
// samples, beyond what the server used.
func takenByOthers(a, b sample, server time.Duration) bool {
	machine := b.machine.Sub(*a.machine)
	all := machine.All().Seconds()
	others := machine.Busy - (b.own - a.own) - max(0, b.kin-a.kin) - server + machine.Steal
	return others.Seconds() > othersBusy*all && machine.Idle.Seconds() < idleLeft*all
}

// saturated reports whether the generator used up the cores that it may use.
func (r *run) saturated(a, b sample) bool {
	return (b.own - a.own).Seconds() > MaxCPU*float64(r.cores)*(b.at-a.at).Seconds()
}

// settle settles every room's accounts, and returns up to where.
func (r *run) settle() (settled timebase.Bin) {
	now := r.clock.Now()
	settled = timebase.BinAt(now)
	for _, h := range r.rooms {
		settled = min(settled, h.ledger.Settle(now))
	}
	r.aggregator.Drain(now, settled)
	r.clients.nacks.Settle(now, r.aggregator.LostResends)
	return settled
}

// lost is how many packets have been dropped on the generator's side.
func (r *run) lost() uint64 {
	return r.counted().dropped + r.health.machineDrops().Total()*r.clients.crowd.PacketsPerDrop()
}

// lostByAll is how many packets have been dropped on the sides of all processes that play the run, as
// far as is known here.
func (r *run) lostByAll() uint64 {
	if r.peers == nil {
		return r.lost()
	}
	return r.lost() + r.peers.othersDropped()
}

// counted is what the clients have counted until the measuring ended.
func (r *run) counted() (counts clientCounts) {
	if ended := r.clientsAtEnd.Load(); ended != nil {
		return *ended
	}
	counts.dropped, counts.unstamped = r.rooms.losses()
	counts.dropped += r.clients.crowd.Dropped()
	counts.unauthentic, counts.replayed = r.clients.refused()
	return counts
}

// endMeasuring ends what the process measures of itself, of mics and of what listeners ask for again. Mics still send
// and listeners still read afterwards, while the process waits for other workers, the results are summed up and the
// audio is scored. That takes all cores there are, which a server on this machine lacks, too. What of the measured was
// in doubt is known later.
func (r *run) endMeasuring() {
	r.health.end()
	counts := r.counted()
	r.clientsAtEnd.Store(&counts)
	r.clients.nacks.End(r.clock.Now())
	r.rooms.release()
}
