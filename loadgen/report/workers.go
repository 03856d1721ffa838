package report

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

// maxClockBound is by how much a worker's clock may be wrong. It is in doubt in every
// latency, and much of it says that the network between the machines is not fit for a test.
const maxClockBound = 20 * time.Millisecond

// workersShortcomings is why the workers did not play what the scenario asks for, each by
// its name. Those on one machine share its cores.
func workersShortcomings(workers []loadgen.Worker) (all []string) {
	var late, clocks, quotas []string
	for _, w := range workers {
		who := "worker " + w.Name
		late = append(late, lateness(who, w.Generator)...)
		switch {
		case w.ClockTrouble != "":
			clocks = append(clocks, fmt.Sprintf("the clock of %s can't be relied on: %s", who, w.ClockTrouble))
		case w.ClockBound > maxClockBound:
			clocks = append(clocks, fmt.Sprintf("the clock of %s may be wrong by %v (the limit is %v): the network between it and the coordinator is too slow, or too busy", who, w.ClockBound, maxClockBound))
		}
	}
	for _, g := range groupsOnHosts(workers) {
		if len(g.quotas) > 1 {
			for _, w := range g.workers {
				quotas = append(quotas, busyness(alone("worker "+w.Name), w.Generator)...)
			}
		}
		quotas = append(quotas, busyness(g.who(), g.generator())...)
	}
	return slices.Concat(first(late), first(clocks), first(quotas))
}

// A hostGroup is the workers on one machine.
type hostGroup struct {
	workers []loadgen.Worker
	quotas  map[quota]bool
}

// A quota is that of a container, which has a host name of its own.
type quota struct {
	host  string
	cores float64
}

// who names the workers.
func (g hostGroup) who() processes {
	var names []string
	for _, w := range g.workers {
		names = append(names, w.Name)
	}
	who := some(names, "worker")
	if len(names) == 1 {
		return alone(who)
	}
	return processes{who, "were", "them", "together they used", "they", "their"}
}

// mostNamed is how many workers are named at most in one sentence, and mostSentences how many sentences say the same of
// other workers: there may be a thousand.
const (
	mostNamed     = 3
	mostSentences = 10
)

// some names workers, or other things: all of a few, and else how many there are and the first of them.
func some(names []string, noun string) string {
	if n := len(names); n > mostNamed+1 {
		return fmt.Sprintf("%s (%s and %s)", count(n, noun), strings.Join(names[:mostNamed], ", "), count(n-mostNamed, "other"))
	}
	return noun + " " + strings.Join(names, " and ")
}

// first are the first of sentences that say the like of different workers, and how many more there are.
func first(sentences []string) []string {
	return firstOf(len(sentences), func(i int) string { return sentences[i] })
}

// firstOf is [first] of so many sentences: those that are not told are not made. A thousand workers that all hear one another
// have half a million.
func firstOf(n int, sentence func(i int) string) (all []string) {
	told := n
	if n > mostSentences+1 {
		told = mostSentences
	}
	for i := range told {
		all = append(all, sentence(i))
	}
	if told < n {
		all = append(all, fmt.Sprintf("and %d more of this kind: see the workers' figures", n-told))
	}
	return all
}

// generator is what the workers have and take together. Those with the same quota share it, as
// processes of a container do; those with different ones have no quota in common.
func (g hostGroup) generator() (sum tally.Generator) {
	for _, w := range g.workers {
		sum.CPU += w.Generator.CPU
		sum.CPUWait += w.Generator.CPUWait
		sum.CPUs = max(sum.CPUs, w.Generator.CPUs)
	}
	if len(g.quotas) == 1 {
		sum.Quota = g.workers[0].Generator.Quota
	}
	return sum
}

// machineOf identifies the machine of a worker. What was measured by an older earshot says its name alone.
func machineOf(w loadgen.Worker) string { return cmp.Or(w.Machine, w.Host) }

func groupsOnHosts(workers []loadgen.Worker) (groups []hostGroup) {
	for _, w := range workers {
		i := slices.IndexFunc(groups, func(g hostGroup) bool { return machineOf(g.workers[0]) == machineOf(w) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, hostGroup{quotas: map[quota]bool{}})
		}
		g := &groups[i]
		q := quota{cores: w.Generator.Quota}
		if q.cores > 0 {
			q.host = w.Host
		}
		g.workers, g.quotas[q] = append(g.workers, w), true
	}
	return groups
}

// clockError is by how much the clocks of two workers may differ, and so a latency be wrong.
func clockError(workers []loadgen.Worker) time.Duration {
	bounds := []time.Duration{0, 0}
	for _, w := range workers {
		bounds = append(bounds, w.ClockBound)
	}
	slices.Sort(bounds)
	return bounds[len(bounds)-1] + bounds[len(bounds)-2]
}

// writeWorkers has a line for each worker.
func (r *Report) writeWorkers(b *bytes.Buffer) {
	if len(r.Result.Workers) == 0 {
		return
	}
	fmt.Fprintf(b, "\n  %s; clocks apart by no more than %s", count(len(r.Result.Workers), "worker"), lag(clockError(r.Result.Workers)))
	if checks := r.Result.ClockChecks; len(checks) > 0 {
		fmt.Fprintf(b, ", and by what they hear of one another %s", lag(heardApart(checks)))
	}
	b.WriteString("\n")
	for _, w := range r.Result.Workers {
		fmt.Fprintf(b, "    %s\n", workerLine(w))
	}
	for _, text := range clockWarnings(r.Result.ClockChecks) {
		fmt.Fprintf(b, "    %s\n", text)
	}
}

// heardApart is by how much two workers' clocks differ at most by what they hear.
func heardApart(checks []loadgen.ClockCheck) (most time.Duration) {
	for _, c := range checks {
		most = max(most, c.Apart.Abs())
	}
	return most
}

// clockWarnings are the checks of the clocks that say something else than their bounds.
func clockWarnings(checks []loadgen.ClockCheck) []string {
	var wrong []int // there is a check for each two workers, of which few are named
	for i := range checks {
		if checks[i].Contradicts() {
			wrong = append(wrong, i)
		}
	}
	return firstOf(len(wrong), func(i int) string {
		c := checks[wrong[i]]
		heard, ways := "of one another", "is one of their ways to the server so much longer there than back?"
		if c.OneWay {
			heard, ways = "of the speakers of one of them", "is the server so much farther from one of them?"
		}
		return fmt.Sprintf("by what workers %s and %s hear %s their clocks are %s apart, and by their exchanges %s at most: %s",
			c.A, c.B, heard, lag(c.Apart.Abs()), lag(c.Bound), ways)
	})
}

// workerLine says how a worker did.
func workerLine(w loadgen.Worker) string {
	g := w.Generator
	text := fmt.Sprintf("%s: %.2f cores of %d, p(99) of its lag sending %s, joining %s, reading %s; dropped %s; clock %s ahead ± %s",
		w.Name, g.CPU, g.CPUs, lag(g.SendLag), lag(g.JoinLag), lag(g.ReadLag), thousands(g.SocketDrops),
		figure(metric.InMilliseconds(w.ClockAhead), metric.Milliseconds), lag(w.ClockBound))
	if w.Lost != "" {
		text += "; lost: " + w.Lost
	}
	return text
}

// A clockCheckSummary is what two workers hear of one another.
type clockCheckSummary struct {
	Workers     [2]string `json:"workers"`
	ApartMS     float64   `json:"apart_ms" jsonschema:"By how much the second one's clock is ahead of the first one's by what they hear of one another's speakers, or of those of one of them, if their ways to the server are alike."`
	OneWay      bool      `json:"one_way,omitempty" jsonschema:"Whether only one of them had speakers."`
	BoundMS     float64   `json:"bound_ms" jsonschema:"By how much it may be at most by their exchanges with the coordinator."`
	Contradicts bool      `json:"contradicts,omitempty" jsonschema:"Whether the two differ by more than a millisecond. No verdict rests on it."`
}

func summarizeClockChecks(checks []loadgen.ClockCheck) (all []clockCheckSummary) {
	for _, c := range checks {
		all = append(all, clockCheckSummary{[2]string{c.A, c.B}, metric.InMilliseconds(c.Apart), c.OneWay, metric.InMilliseconds(c.Bound), c.Contradicts()})
	}
	return all
}

type workerSummary struct {
	Name        string       `json:"name"`
	Host        string       `json:"host"`
	CPU         float64      `json:"cpu" jsonschema:"Cores used in the steady state."`
	CPUs        int          `json:"cpus" jsonschema:"Cores that it may use."`
	SendLagMS   float64      `json:"send_lag_p99_ms" jsonschema:"How late frames went out."`
	JoinLagMS   float64      `json:"join_lag_p99_ms" jsonschema:"How late joins and acts of the timeline began."`
	ReadLagMS   float64      `json:"read_lag_p99_ms" jsonschema:"How long packets lay in its process."`
	SocketDrops uint64       `json:"socket_drops" jsonschema:"Packets that its sockets dropped."`
	Clock       clockSummary `json:"clock"`
	Lost        string       `json:"lost,omitempty" jsonschema:"Why nothing more was heard of it before it had played its part."`
}

type clockSummary struct {
	OffsetMS float64 `json:"offset_ms" jsonschema:"By how much the coordinator's clock went ahead of its since the start."`
	BoundMS  float64 `json:"bound_ms" jsonschema:"By how much that may have been wrong at most."`
	Trouble  string  `json:"trouble,omitempty" jsonschema:"Why it could not be relied on."`
}

func summarizeWorkers(workers []loadgen.Worker) (all []workerSummary, clockErrorMS *float64) {
	for _, w := range workers {
		g := w.Generator
		all = append(all, workerSummary{
			Name: w.Name, Host: w.Host, CPU: g.CPU, CPUs: g.CPUs, SocketDrops: g.SocketDrops, Lost: w.Lost,
			SendLagMS: metric.InMilliseconds(g.SendLag), JoinLagMS: metric.InMilliseconds(g.JoinLag), ReadLagMS: metric.InMilliseconds(g.ReadLag),
			Clock: clockSummary{metric.InMilliseconds(w.ClockAhead), metric.InMilliseconds(w.ClockBound), w.ClockTrouble},
		})
	}
	if len(workers) > 0 {
		clockErrorMS = new(metric.InMilliseconds(clockError(workers)))
	}
	return all, clockErrorMS
}
