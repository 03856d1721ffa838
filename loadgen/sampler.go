package loadgen

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/measure"
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
	// shared means that the server is in the generator's control group.
	shared bool
}

// A sampler measures both processes. It is safe for concurrent use.
type sampler struct {
	clock    *measure.Clock
	server   host.Meter // or nil
	problems *problems
	// kin are other processes of the run on this machine.
	kin []int
}

func (m *sampler) sample(ctx context.Context) sample {
	s := sample{at: m.clock.Now(), own: host.CPU(), memory: host.Memory(), group: host.ControlGroupOf(os.Getpid())}
	s.wait, _ = host.RunQueueWait()
	if times, ok := host.MachineTimes(); ok {
		s.machine = &times
	}
	for _, pid := range m.kin {
		if u, err := host.ProcessUsage(pid); err == nil { // one that has ended uses nothing
			s.kin += u.CPU
		}
	}
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
	if p, here := m.server.(host.ProcessMeter); here && s.group.Quota > 0 {
		s.shared = host.ControlGroupOf(p.PID).Path == s.group.Path
	}
	return s
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
func load(a, b sample, drops uint64) measure.Load {
	l := measure.Load{From: a.at, Until: b.at, GeneratorRSS: b.memory, Drops: drops}
	time := (b.at - a.at).Seconds()
	if time <= 0 {
		return l
	}
	own := (b.own - a.own).Seconds() / time
	l.GeneratorCPU = &own
	if b.server != nil {
		l.ServerRSS = b.server.Memory
	}
	if a.server != nil && b.server != nil {
		cpu := (b.server.CPU - a.server.CPU).Seconds() / time
		l.ServerCPU = &cpu
	}
	return l
}
