package capacity

import (
	"fmt"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// full is the share of a machine's cores at which they count as used up: what is
// left goes to the kernel's own work, which no process is charged with.
const full = 0.85

// RanOut is what the step beyond the largest load says about why it did not
// pass, the most telling first.
func (r *Result) RanOut() (reasons []string) {
	if r.Limit == Nothing {
		r = &Result{Beyond: r.Plan.From, Steps: r.Steps}
	}
	step, ok := r.at(r.Beyond)
	if !ok {
		return nil
	}
	say := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	if step.Died {
		say("the server's process died")
	}
	if step.Report == nil {
		return reasons
	}
	run := step.Report.Result
	if step.Verdict == report.Invalid {
		for _, why := range step.Report.Reasons {
			say("the generator, not the server: %s", why)
		}
	}
	server, known := run.Values["server_cpu"].(metric.Gauge)
	cores := float64(run.Environment.CPUs)
	if known && run.Environment.CPUs > 0 {
		switch used := float64(server) + run.Generator.CPU; {
		case float64(server) >= full*cores:
			say("CPU of the server: it used %.2f of %.0f cores", float64(server), cores)
		case used >= full*cores:
			say("CPU of the machine: the server used %.2f and the generator %.2f of %.0f cores; put them on two machines to tell them apart",
				float64(server), run.Generator.CPU, cores)
		}
	}
	for _, t := range step.Report.Thresholds {
		if t.OK != nil && !*t.OK && t.Metric == "server_rss" {
			say("memory of the server: %s", crossed(t))
		}
	}
	if drops := run.Generator.SocketDrops + run.Generator.MachineDrops; drops > 0 {
		say("receive buffers of this machine: %d packets were dropped at the listeners' sockets, %d of the machine's backlog", drops, run.Generator.MachineDrops)
	}
	for _, p := range run.Problems {
		if !p.Act && (p.Doing == "join" || p.Doing == "connect" || p.Doing == "hear") {
			say("admission: %d could not %s: %s", p.Count, p.Doing, p.Error)
		}
	}
	if len(reasons) == 0 && known {
		say("none that was measured: the server used %.2f of %.0f cores; look at what it waits for", float64(server), cores)
	}
	return reasons
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
	if t.Value != nil {
		is = report.Figure(*t.Value, t.LimitUnit())
	}
	return fmt.Sprintf("%s: %s, and is %s", t.Metric, t.Expression, is)
}
