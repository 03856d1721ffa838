package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// full is the share of a machine's cores at which they count as used up: the rest goes
// to the kernel's own work, which is charged to no process.
const full = 0.85

// RanOut is why the load beyond the largest did not pass, as far as it was measured,
// the most likely reason first.
func (r *Result) RanOut() (reasons []string) {
	beyond := r.Beyond
	if beyond == 0 {
		return nil
	}
	step, ok := r.at(beyond)
	if !ok {
		return nil
	}
	if step.Died {
		reasons = append(reasons, "the server's process died")
	}
	if step.Report == nil {
		return reasons
	}
	run := step.Report.Result
	if step.Verdict == report.Invalid {
		for _, why := range step.Report.Reasons {
			reasons = append(reasons, "the generator, not the server: "+why)
		}
	}
	reasons = append(reasons, cpu(run)...)
	reasons = append(reasons, thread(run)...)
	for _, t := range step.Report.Thresholds {
		if t.OK != nil && !*t.OK && t.Metric == "server_rss" {
			reasons = append(reasons, "memory of the server: "+crossed(t))
		}
	}
	reasons = append(reasons, machine(run.Server)...)
	if drops := run.Generator.SocketDrops + run.Generator.MachineDrops.Total(); drops > 0 {
		reasons = append(reasons, fmt.Sprintf("receive buffers of the generator's machine: %d packets were dropped at the listeners' sockets, %d of them by the machine itself", drops, run.Generator.MachineDrops.Total()))
	}
	for _, p := range run.Problems {
		if !p.Act && (p.Doing == "join" || p.Doing == "connect" || p.Doing == "hear") {
			reasons = append(reasons, fmt.Sprintf("admission: %d could not %s: %s", p.Count, p.Doing, p.Error))
		}
	}
	if server, known := run.Values["server_cpu"].(metric.Gauge); len(reasons) == 0 && known {
		reasons = append(reasons, fmt.Sprintf("nothing that was measured: the server used %s; look at what it waits for", ofCores(float64(server), run.Server.Cores)))
	}
	return reasons
}

// cpu says whether the server's cores were used up, by the server alone or together
// with the generator on the same machine. Nothing is said about a machine whose cores
// are not known.
func cpu(run *loadgen.Result) []string {
	server, known := run.Values["server_cpu"].(metric.Gauge)
	cores := float64(run.Server.Cores)
	if !known || cores <= 0 {
		return nil
	}
	switch used := float64(server); {
	case used >= full*cores:
		return []string{fmt.Sprintf("CPU of the server: it used %s", ofCores(used, run.Server.Cores))}
	case run.Server.Local && used+run.Generator.CPU >= full*cores:
		return []string{fmt.Sprintf("CPU of the machine: the server used %.2f and the generator %.2f of %.0f cores; put them on two machines to measure the server alone",
			used, run.Generator.CPU, cores)}
	}
	return nil
}

// thread says whether one thread of the server had all that a core can do, while there were
// others.
func thread(run *loadgen.Result) []string {
	server, _ := run.Values["server_cpu"].(metric.Gauge)
	s := run.Server
	if s.ThreadCores < full || s.Cores > 0 && (s.Cores == 1 || float64(server) >= full*float64(s.Cores)) {
		return nil
	}
	return []string{fmt.Sprintf("one thread of the server: %s used %.2f of a core, and more cores do not make it faster", cmp.Or(s.Thread, "it"), s.ThreadCores)}
}

// spareMemory is the share of a machine's memory below which it is used up.
const spareMemory = 0.05

// machine says what else ran out of the server's machine, or of the way to it, and what the
// server dropped.
func machine(s loadgen.Server) (reasons []string) {
	if s.Memory > 0 && float64(s.Available) < spareMemory*float64(s.Memory) {
		reasons = append(reasons, fmt.Sprintf("memory of the machine: %s of %s were left", report.Figure(float64(s.Available), metric.Bytes), report.Figure(float64(s.Memory), metric.Bytes)))
	}
	if l := s.Link; l.Speed > 0 && l.Used >= full*l.Speed {
		reasons = append(reasons, fmt.Sprintf("the network: %s of the generator's machine carried %.0f of %.0f Mbit/s", l.Name, l.Used/1e6, l.Speed/1e6))
	}
	for _, where := range slices.Sorted(maps.Keys(s.Drops)) {
		reasons = append(reasons, fmt.Sprintf("the server: %d packets were dropped by %s", s.Drops[where], where))
	}
	return reasons
}

func ofCores(used float64, cores int) string {
	if cores <= 0 {
		return fmt.Sprintf("%.2f cores of a machine whose number of cores is unknown (--server-cores)", used)
	}
	return fmt.Sprintf("%.2f of %d cores", used, cores)
}

// Crossed are the thresholds that a step did not hold, each with its figure.
func (s Step) Crossed() (all []string) {
	if s.Report == nil {
		return nil
	}
	for _, t := range s.Report.Thresholds {
		if t.OK == nil || !*t.OK {
			all = append(all, crossed(t))
		}
	}
	return all
}

func crossed(t report.Judgement) string {
	is := "no data"
	switch {
	case t.Value != nil && t.Best != nil: // it is in doubt
		is = report.Figure(min(*t.Value, *t.Best), t.LimitUnit()) + "…" + report.Figure(max(*t.Value, *t.Best), t.LimitUnit())
	case t.Value != nil:
		is = report.Figure(*t.Value, t.LimitUnit())
	}
	return fmt.Sprintf("%s: %s, and is %s", t.Metric, t.Expression, is)
}
