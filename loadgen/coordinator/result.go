package coordinator

import (
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/scoreboard"
)

// conclude builds the result.
func (c *coordinator) conclude(hosts []string) *scoreboard.Result {
	tallies := c.tallies()
	for i, w := range c.workers {
		if w.tally == nil {
			continue
		}
		w.Generator = w.tally.Generator()
		if w.final != nil {
			w.tally.Final = w.final
		}
		if i == 0 {
			w.tally.Lag = c.lag
		}
	}
	if c.span.Steady == 0 {
		c.span.Steady = c.span.Stop
	}
	result := c.Combine(c.merger.Doubted(), tallies, hosts, c.interrupted, c.span, *c.before, *c.after)
	result.Values.Set("generator_lag", c.lag)
	machines := map[string]bool{}
	for _, w := range c.workers {
		g := w.Generator
		all := &result.Generator
		all.CPU, all.CPUWait = all.CPU+g.CPU, all.CPUWait+g.CPUWait
		all.SendLag, all.JoinLag, all.ReadLag = max(all.SendLag, g.SendLag), max(all.JoinLag, g.JoinLag), max(all.ReadLag, g.ReadLag)
		all.SocketDrops, all.Unstamped, all.ClockStep = all.SocketDrops+g.SocketDrops, all.Unstamped+g.Unstamped, max(all.ClockStep, g.ClockStep)
		if !machines[w.Machine] {
			machines[w.Machine] = true
			all.CPUs += g.CPUs
			all.MachineDrops = all.MachineDrops.Add(g.MachineDrops)
		}
		result.Workers = append(result.Workers, w.Worker)
	}
	result.ClockChecks = checkClocks(result.Workers, c.crossed())
	result.Problems, result.Overrun = c.allProblems(), c.trouble
	return result
}

// crossed is what each worker's probes heard of each worker.
func (c *coordinator) crossed() (all []map[int]*metric.Trend) {
	for _, w := range c.workers {
		var one map[int]*metric.Trend
		if w.final != nil {
			one = w.final.Crossed
		}
		all = append(all, one)
	}
	return all
}

// allProblems are those of the coordinator and of all workers.
func (c *coordinator) allProblems() []problem.Problem {
	lists := [][]problem.Problem{c.Problems.List()}
	for _, w := range c.workers {
		if w.tally != nil {
			lists = append(lists, w.tally.Problems)
		}
	}
	return problem.Merge(lists)
}
