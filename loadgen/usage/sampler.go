package usage

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/meter"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/process"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A Sample is what both processes have used at one moment.
type Sample struct {
	At     time.Duration
	Server *process.Usage // nil if it can't be measured
	Ended  bool           // since its process has ended
	Own    time.Duration  // CPU of this process
	Wait   time.Duration  // that its threads waited for a core; 0 if unknown
	Memory uint64         // of this process, in bytes; 0 if unknown
	kin    time.Duration  // CPU of the run's other processes on this machine

	machine *host.CPUTimes // nil if unknown
	Group   process.ControlGroup
	// details are the server's at the two ends of what is measured, and links what had gone
	// over the machine's network interfaces; nil else.
	Details *meter.Details
	Links   map[string]host.Link
	// shared means that the generator's quota is the server's, too, or may be.
	shared bool
}

// A Sampler measures both processes. It is safe for concurrent use.
type Sampler struct {
	clock    *timebase.Clock
	server   meter.Meter // or nil
	problems *problem.Counter
	// kin are other processes of the run on this machine.
	Kin []int
	// local means that the server is on this machine.
	Local bool

	mu   sync.Mutex
	read readings // at last
}

// readings are what could be read of this machine. What can't be read for once, such as for want of a
// free descriptor, is as it was.
type readings struct {
	group process.ControlGroup
	wait  time.Duration
	kin   map[int]time.Duration // CPU by process
}

// enter enters what could be read for a sample, and completes the sample by what could not.
func (r *readings) enter(s *Sample, waitKnown bool, kin map[int]time.Duration) {
	if s.Group.Unread {
		s.Group, s.Group.Unread = r.group, true
	} else {
		r.group = s.Group
	}
	if waitKnown {
		r.wait = s.Wait
	}
	s.Wait = r.wait
	if r.kin == nil {
		r.kin = map[int]time.Duration{}
	}
	maps.Copy(r.kin, kin)
	for _, cpu := range r.kin {
		s.kin += cpu
	}
}

// NewSampler returns a sampler. A server that is nil is not measured.
func NewSampler(clock *timebase.Clock, server meter.Meter, problems *problem.Counter) *Sampler {
	return &Sampler{clock: clock, server: server, problems: problems}
}

// Sample returns what both processes have used until now.
func (m *Sampler) Sample(ctx context.Context) Sample {
	s := Sample{At: m.clock.Now(), Own: process.CPU(), Memory: process.Memory(), Group: process.ControlGroupOf(os.Getpid())}
	wait, waitKnown := process.RunQueueWait()
	s.Wait = wait
	if times, ok := host.MachineTimes(); ok {
		s.machine = &times
	}
	kin := map[int]time.Duration{}
	for _, pid := range m.Kin {
		if u, err := process.UsageOf(pid); err == nil { // one that has ended uses nothing more
			kin[pid] = u.CPU
		}
	}
	m.mu.Lock()
	m.read.enter(&s, waitKnown, kin)
	m.mu.Unlock()
	s.shared = m.mayShare(s.Group)
	if m.server == nil {
		return s
	}
	u, err := m.server.Usage(ctx)
	if err != nil {
		m.problems.Add("measure the server", err)
		s.Ended = errors.Is(err, process.ErrEnded)
		return s
	}
	s.Server = &u
	return s
}

// mayShare reports whether the server may have to share the quota of the generator's control group.
func (m *Sampler) mayShare(own process.ControlGroup) bool {
	if own.Quota == 0 {
		return false
	}
	server, known := m.server.(meter.Grouped)
	if !known {
		return m.Local // nobody says in which group it is
	}
	return slices.ContainsFunc(server.ControlGroups(), own.MayShare)
}

// ServerCPU returns the CPU time that the server used between two samples, if that is known.
func ServerCPU(a, b Sample) (used time.Duration, known bool) {
	if a.Server == nil || b.Server == nil {
		return 0, false
	}
	return b.Server.CPUSince(*a.Server)
}

// End returns a sample at an end of what is measured, with what tells what ran out.
func (m *Sampler) End(ctx context.Context) Sample {
	s := m.Sample(ctx)
	s.Links = host.Links()
	if d, ok := m.server.(meter.Detailed); ok {
		details, err := d.Details(ctx)
		if err == nil {
			s.Details = &details
		} // which says no more than that the server can't be measured
	}
	return s
}

// Load returns what both processes used between two samples.
func Load(a, b Sample, drops uint64) record.Load {
	l := record.Load{From: a.At, Until: b.At, GeneratorRSS: b.Memory, Drops: drops}
	time := (b.At - a.At).Seconds()
	if time <= 0 {
		return l
	}
	own := (b.Own - a.Own).Seconds() / time
	l.GeneratorCPU = &own
	if b.Server != nil {
		l.ServerRSS = b.Server.Memory
	}
	if used, known := ServerCPU(a, b); known {
		cpu := used.Seconds() / time
		l.ServerCPU = &cpu
	}
	return l
}
