package loadgen

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A sample is what both processes have used at one moment.
type sample struct {
	at     time.Duration
	server *host.Usage   // nil if it can't be measured
	ended  bool          // since its process has ended
	own    time.Duration // CPU of this process
	wait   time.Duration // that its threads waited for a core; 0 if unknown
	memory uint64        // of this process, in bytes; 0 if unknown
	kin    time.Duration // CPU of the run's other processes on this machine

	machine *host.CPUTimes // nil if unknown
	group   host.ControlGroup
	// details are the server's at the two ends of what is measured, and links what had gone
	// over the machine's network interfaces; nil else.
	details *host.Details
	links   map[string]host.Link
	// shared means that the generator's quota is the server's, too, or may be.
	shared bool
}

// A sampler measures both processes. It is safe for concurrent use.
type sampler struct {
	clock    *timebase.Clock
	server   host.Meter // or nil
	problems *problems
	// kin are other processes of the run on this machine.
	kin []int
	// local means that the server is on this machine.
	local bool

	mu   sync.Mutex
	read readings // at last
}

// readings are what could be read of this machine. What can't be read for once, such as for want of a
// free descriptor, is as it was.
type readings struct {
	group host.ControlGroup
	wait  time.Duration
	kin   map[int]time.Duration // CPU by process
}

// enter enters what could be read for a sample, and completes the sample by what could not.
func (r *readings) enter(s *sample, waitKnown bool, kin map[int]time.Duration) {
	if s.group.Unread {
		s.group, s.group.Unread = r.group, true
	} else {
		r.group = s.group
	}
	if waitKnown {
		r.wait = s.wait
	}
	s.wait = r.wait
	if r.kin == nil {
		r.kin = map[int]time.Duration{}
	}
	maps.Copy(r.kin, kin)
	for _, cpu := range r.kin {
		s.kin += cpu
	}
}

func (m *sampler) sample(ctx context.Context) sample {
	s := sample{at: m.clock.Now(), own: host.CPU(), memory: host.Memory(), group: host.ControlGroupOf(os.Getpid())}
	wait, waitKnown := host.RunQueueWait()
	s.wait = wait
	if times, ok := host.MachineTimes(); ok {
		s.machine = &times
	}
	kin := map[int]time.Duration{}
	for _, pid := range m.kin {
		if u, err := host.ProcessUsage(pid); err == nil { // one that has ended uses nothing more
			kin[pid] = u.CPU
		}
	}
	m.mu.Lock()
	m.read.enter(&s, waitKnown, kin)
	m.mu.Unlock()
	s.shared = m.mayShare(s.group)
	if m.server == nil {
		return s
	}
	u, err := m.server.Usage(ctx)
	if err != nil {
		m.problems.add("measure the server", err)
		s.ended = errors.Is(err, host.ErrEnded)
		return s
	}
	s.server = &u
	return s
}

// mayShare reports whether the server may have to share the quota of the generator's control group.
func (m *sampler) mayShare(own host.ControlGroup) bool {
	if own.Quota == 0 {
		return false
	}
	server, known := m.server.(host.GroupedMeter)
	if !known {
		return m.local // nobody says in which group it is
	}
	return slices.ContainsFunc(server.ControlGroups(), own.MayShare)
}

// serverCPU returns the CPU time that the server used between two samples, if that is known.
func serverCPU(a, b sample) (used time.Duration, known bool) {
	if a.server == nil || b.server == nil {
		return 0, false
	}
	return b.server.CPUSince(*a.server)
}

// end is a sample at an end of what is measured, with what tells what ran out.
func (m *sampler) end(ctx context.Context) sample {
	s := m.sample(ctx)
	s.links = host.Links()
	if d, ok := m.server.(host.DetailedMeter); ok {
		details, err := d.Details(ctx)
		if err == nil {
			s.details = &details
		} // which says no more than that the server can't be measured
	}
	return s
}

// load returns what both processes used between two samples.
func load(a, b sample, drops uint64) record.Load {
	l := record.Load{From: a.at, Until: b.at, GeneratorRSS: b.memory, Drops: drops}
	time := (b.at - a.at).Seconds()
	if time <= 0 {
		return l
	}
	own := (b.own - a.own).Seconds() / time
	l.GeneratorCPU = &own
	if b.server != nil {
		l.ServerRSS = b.server.Memory
	}
	if used, known := serverCPU(a, b); known {
		cpu := used.Seconds() / time
		l.ServerCPU = &cpu
	}
	return l
}
