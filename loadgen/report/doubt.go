package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

// describeDoubts names what puts a run's figures in doubt, with its size and what
// to do about it.
func describeDoubts(run *loadgen.Result) (all []string) {
	add := func(format string, args ...any) { all = append(all, "in doubt: "+fmt.Sprintf(format, args...)) }
	d := run.Doubts
	if d.LateFrames > 0 {
		add("the generator sent %s of %s frames late, the latest by %s; give it more CPU, or a smaller scenario",
			thousands(d.LateFrames), thousands(d.Frames), lag(d.Latest))
	}
	if d.Stalls > 0 {
		add("the generator's process did not run for %s in all (%s); look for what stops or throttles it", lag(d.Stalled), count(d.Stalls, "time"))
	}
	if d.Throttled > 0 {
		add("the quota of %s kept the generator's threads from running for %s in all; raise it (cpu.max; --cpus or limits.cpu of a container), or play a smaller scenario",
			throttledGroups(run), lag(d.Throttled))
	}
	if d.Stolen > 0 {
		add("the hypervisor took the machine's cores for %s in all; play from a machine whose cores are its own", lag(d.Stolen))
	}
	if _, measured := run.Values["server_rss"]; d.Contended > 0 && !measured {
		add("others took the cores of the server's machine for %s, or the server, which is not measured: name its process (--server-pid), stop what else runs, or play from another machine", seconds(d.Contended))
	} else if d.Contended > 0 {
		add("others took the cores of the server's machine for %s; stop what else runs, or play from another machine", seconds(d.Contended))
	}
	if d.Competed > 0 {
		add("threads of the server waited for its machine's cores for %s in all while the generator or others ran on them; play from another machine, or a smaller scenario", seconds(d.Competed))
	}
	if d.Drops > 0 {
		add("the generator's sockets and machine dropped %s packets%s", thousands(d.Drops), dropRemedies(run.Generator))
	}
	if d.WeakMarks > 0 {
		add("the mark was so weak in %s frames that the server may have lost them, or its codec the mark; at a higher bit rate of the server it is to be seen which", thousands(d.WeakMarks))
	}
	if d.LateJoins > 0 {
		add("%s joins took longer by the generator's doing", thousands(d.LateJoins))
	}
	if d.LostJoins > 0 {
		add("%s listeners did not get in while the generator or its machine was busy or dropped packets; give it more CPU, or a smaller scenario", thousands(d.LostJoins))
	}
	if d.Steps > 0 {
		add("the wall clock was stepped by %v in all; keep it from being set during a run", run.Generator.ClockStep)
	}
	switch {
	case d.Ambiguous > 0 && run.Marked:
		add("%s frames of sound had no mark, and came when the generator had stopped, sent late or lost packets: a server that mixes makes pieces of that", thousands(d.Ambiguous))
	case d.Ambiguous > 0:
		add("%s packets fit several frames, so that they have no latency: do more mics share a recording than it has 11 s for, does one repeat within %v, or is it silent?", thousands(d.Ambiguous), record.Lateness)
	}
	return all
}

// throttledGroups are the control groups that have a quota, which it is of, with how many cores.
func throttledGroups(run *loadgen.Result) string {
	if len(run.Workers) == 0 {
		return fmt.Sprintf("its control group (%.2f cores)", run.Generator.Quota)
	}
	var all []string
	for _, w := range run.Workers {
		if q := w.Generator.Quota; q > 0 {
			all = append(all, fmt.Sprintf("%s (%.2f cores)", w.Name, q))
		}
	}
	if len(all) == 0 { // it was known to the worker for a moment only
		return "a worker's control group"
	}
	return some(all, "worker")
}

// dropRemedies says where packets were dropped, and what to do about each.
func dropRemedies(g tally.Generator) (text string) {
	for _, at := range []struct {
		packets      uint64
		what, remedy string
	}{
		{g.SocketDrops, "its sockets", "raise net.core.rmem_max"},
		{g.MachineDrops.Backlog, "the machine's backlog", "raise net.core.netdev_max_backlog"},
		{g.MachineDrops.Conntrack, "the firewall's table of connections", "raise net.netfilter.nf_conntrack_max, or exempt the ports from tracking"},
		{g.MachineDrops.Interfaces, "its network interfaces", "enlarge their rings (ethtool -G), or use a faster one"},
		{g.MachineDrops.Sockets, "sockets without a buffer or memory", "raise net.core.wmem_max and net.ipv4.udp_mem"},
	} {
		if at.packets > 0 {
			text += fmt.Sprintf("; %s of them by %s: %s", thousands(at.packets), at.what, at.remedy)
		}
	}
	if text == "" {
		return "; raise net.core.rmem_max and net.core.netdev_max_backlog"
	}
	return text
}

// heardNothing reports whether listeners were owed packets and nothing reached
// them, whatever is in doubt.
func heardNothing(run *loadgen.Result) bool {
	delivered, _ := run.Values["delivered"].(metric.Rate)
	if best, doubted := run.Best["delivered"].(metric.Rate); doubted {
		delivered = best
	}
	return delivered.Total > 0 && delivered.Passes == 0
}

// publishedNothing reports whether mics were to open and the server took and kept none,
// whatever is in doubt.
func publishedNothing(run *loadgen.Result) bool {
	published, _ := run.Values["published"].(metric.Rate)
	if best, doubted := run.Best["published"].(metric.Rate); doubted {
		published = best
	}
	return published.Total > 0 && published.Passes == 0
}

// asksForReports reports whether a threshold is on what the server reports of mics.
func (r *Report) asksForReports() bool {
	return slices.ContainsFunc(r.Thresholds, func(t Judgement) bool {
		d, _ := metric.Lookup(t.Metric)
		return d.Reported
	})
}

const (
	// maxDeliveredApart and maxLatencyApart are by how much the probes' figures may
	// differ from the crowd's before it matters, if chance does not explain it.
	maxDeliveredApart = 0.001
	maxLatencyApart   = 5.0 // ms
)

// apart reports whether probes and crowd received another share, or at another
// latency, than chance explains.
func apart(run *loadgen.Result) (delivered, latency bool) {
	crowd, probes := run.Crowd, run.Probes
	values := func(of []record.Heard, value func(record.Heard) float64) (all []float64) {
		for _, h := range of {
			all = append(all, value(h))
		}
		return all
	}
	share := func(h record.Heard) float64 { return h.Delivered }
	mean := func(h record.Heard) float64 { return metric.InMilliseconds(h.Latency) }
	a, b := values(crowd.Listeners, share), values(probes.Listeners, share)
	delivered = math.Abs(average(a)-average(b)) > maxDeliveredApart && record.Apart(a, b)
	a, b = values(crowd.Listeners, mean), values(probes.Listeners, mean)
	latency = math.Abs(average(a)-average(b)) > maxLatencyApart && record.Apart(a, b)
	return delivered, latency
}

func average(all []float64) float64 {
	var sum float64
	for _, v := range all {
		sum += v
	}
	return sum / math.Max(1, float64(len(all)))
}

// disagreement says how probes and crowd differ, if chance does not explain it.
func disagreement(run *loadgen.Result) string {
	crowd, probes := run.Crowd, run.Probes
	delivered, latency := apart(run)
	switch {
	case delivered:
		return fmt.Sprintf("the probes disagree with the crowd: delivered %s and %s", percent(probes.Delivered.Share()), percent(crowd.Delivered.Share()))
	case latency:
		return fmt.Sprintf("the probes disagree with the crowd: latency p(50) %s and %s",
			quantile(probes.Latency, 50, metric.Milliseconds), quantile(crowd.Latency, 50, metric.Milliseconds))
	}
	return ""
}

// probesContradict reports whether the probes, which are whole peer connections,
// hold a threshold that all listeners together cross, and chance does not explain
// the difference: then the crowd's own endpoint may be to blame.
func (r *Report) probesContradict(t metric.Threshold) bool {
	if !t.Selector.IsZero() || t.Over != 0 {
		return false
	}
	delivered, latency := apart(r.Result)
	d, _ := metric.Lookup(t.Metric)
	var of metric.Value
	switch {
	case d.Name == "delivered" && delivered:
		of = r.Result.Probes.Delivered
	case d.Name == "latency" && latency:
		of = r.Result.Probes.Latency
	default:
		return false
	}
	one := t.Evaluate(metric.Values{d.Name: of})
	return one.OK != nil && *one.OK
}
