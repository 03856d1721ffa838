package report

import (
	"fmt"
	"math"
	"time"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A Verdict is what a run comes to.
type Verdict string

// The verdicts. Invalid says nothing of the server: there was no data, or the
// data can't be trusted.
const (
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"
	Invalid Verdict = "invalid"
)

// What the figures bear, before they say more about the generator than about
// the server. docs/metrics.md tells them.
const (
	// maxUnrecognised is the share of packets that may stay without a frame,
	// and so without a latency.
	maxUnrecognised = 0.001
	// maxSendLag is a frame's length: what goes out later is late by the
	// generator's fault, and its lateness counts as the server's latency.
	maxSendLag = measure.BinLength
	// maxJoinLag is how late joins may begin and still be the storm that the
	// scenario asked for.
	maxJoinLag = 250 * time.Millisecond
	// maxReadLag is how long packets may lie in the generator. Their latency
	// does not suffer, as the kernel stamps them; but a process that is this far
	// behind is no audience.
	maxReadLag = 250 * time.Millisecond
	// maxDrops is the share of packets that may have been dropped on the
	// generator's own side: a tenth of what a threshold of 99.99 % tolerates.
	maxDrops = 0.00001
	// maxCPU is the share of the cores that it may use that the generator may
	// use up: beyond, what it does is late as soon as anything comes together.
	maxCPU = 0.9
	// maxCPUWait is how many of its threads may wait for a core, for each core
	// that it may use: on average, all its cores are taken by others then, and
	// something of its own waits for each.
	maxCPUWait = 1.0
	// maxApart is by how much the probes' share of delivered packets, and their
	// latency's 50th and 99th percentile, may differ from the crowd's; fewer
	// packets than leastPackets on either side tell nothing.
	maxDeliveredApart = 0.001
	maxLatencyApart   = 5.0 // ms
	leastPackets      = 2000
	// maxClockStep is by how much the wall clock may be stepped in a run.
	maxClockStep = time.Millisecond
)

// A Report is a run with its verdict. It is not changed after [Judge].
type Report struct {
	Result     *loadgen.Result
	Thresholds []Judgement
	Verdict    Verdict
	// Reasons says why the verdict is invalid.
	Reasons []string
}

// A Judgement is a threshold and what became of it.
type Judgement struct {
	metric.Threshold
	metric.Result
}

// Judge judges a run. An invalid run is neither passed nor failed, whatever
// its thresholds say.
func Judge(result *loadgen.Result, thresholds []metric.Threshold) *Report {
	r := &Report{Result: result, Verdict: Pass}
	for _, t := range thresholds {
		j := Judgement{t, t.Evaluate(result.Values)}
		if a := result.Aborted; a != nil && a.Threshold.String() == t.String() {
			j.Result = a.Result // it stays crossed, whatever came after
		}
		switch {
		case j.OK == nil && result.Aborted != nil:
			// The run ended before there could be any, and it has failed already.
		case j.OK == nil:
			r.invalidate("no data for %s: %s", t.Metric, j.Reason)
		case !*j.OK:
			r.Verdict = Fail
		}
		r.Thresholds = append(r.Thresholds, j)
	}
	if u, _ := result.Values["unrecognised"].(metric.Rate); u.Share() > maxUnrecognised {
		r.invalidate("%s of the packets could not be tied to one sent frame, so their latency is not known (the limit is 0.1%%): are they over %v late, does an audio file repeat within that time, or is it silent?", percent(u.Share()), measure.Lateness)
	}
	if d, _ := result.Values["delivered"].(metric.Rate); d.Total == 0 && result.Aborted == nil {
		r.invalidate("no listener was owed a packet, so nothing was measured")
	}
	r.judgeGenerator()
	for _, p := range result.Problems {
		if p.Act {
			r.invalidate("the timeline could not be played as written: %s: %s (%s)", p.Doing, p.Error, count(p.Count, "time"))
		}
		if p.Own {
			r.invalidate("the generator's machine was at a limit: %s: %s (%s)", p.Doing, p.Error, count(p.Count, "time"))
		}
	}
	if result.Interrupted {
		r.invalidate("the run was interrupted")
	}
	if len(r.Reasons) > 0 {
		r.Verdict = Invalid
	}
	return r
}

// judgeGenerator tells whether the generator was the bottleneck.
func (r *Report) judgeGenerator() {
	g := r.Result.Generator
	for _, lag := range []struct {
		what     string
		is, most time.Duration
	}{
		{"sent its frames", g.SendLag, maxSendLag},
		{"began its joins and acts", g.JoinLag, maxJoinLag},
		{"read its packets", g.ReadLag, maxReadLag},
	} {
		if lag.is > lag.most {
			r.invalidate("the generator was the bottleneck: it %s late, p(99)=%v (the limit is %v); give it more CPU, or a smaller scenario",
				lag.what, lag.is.Round(time.Millisecond), lag.most)
		}
	}
	r.judgeCPU()
	packets, _ := r.Result.Values["delivered"].(metric.Rate)
	if drops := g.SocketDrops + g.MachineDrops; float64(drops) > maxDrops*float64(packets.Total) {
		r.invalidate("the generator was the bottleneck: its sockets dropped %s packets and its machine %s; raise net.core.rmem_max and net.core.netdev_max_backlog",
			thousands(g.SocketDrops), thousands(g.MachineDrops))
	}
	r.judgeProbes()
	if g.ClockStep > maxClockStep {
		r.invalidate("the wall clock was stepped by %v during the run, so latencies are wrong by as much", g.ClockStep)
	}
}

// judgeCPU tells whether the generator's process was out of CPU, by its own
// doing or by others'.
func (r *Report) judgeCPU() {
	g := r.Result.Generator
	cores := float64(g.CPUs)
	if cores > 0 && g.CPU > maxCPU*cores {
		r.invalidate("the generator was the bottleneck: its process used %.2f of the %s that it may use (the limit is %.0f%%); give it more CPU, or a smaller scenario",
			g.CPU, count(g.CPUs, "core"), maxCPU*100)
	}
	if cores > 0 && g.CPUWait > maxCPUWait*cores {
		r.invalidate("the generator was the bottleneck: others kept it from the CPU, so that on average %.2f of its threads waited for a core (the limit is %.0f for %s); stop what else runs, or give it more CPU",
			g.CPUWait, maxCPUWait*cores, count(g.CPUs, "core"))
	}
}

// judgeProbes tells whether the crowd, whose endpoint is our own, measured what
// whole peer connections did.
func (r *Report) judgeProbes() {
	crowd, probes := r.Result.Crowd, r.Result.Probes
	if crowd.Delivered.Total >= leastPackets && probes.Delivered.Total >= leastPackets {
		if c, p := crowd.Delivered.Share(), probes.Delivered.Share(); math.Abs(c-p) > maxDeliveredApart {
			r.invalidate("the probes disagree with the crowd: delivered %s and %s (the limit is 0.1 points apart)", percent(p), percent(c))
		}
	}
	if crowd.Latency == nil || probes.Latency == nil || crowd.Latency.Count() < leastPackets || probes.Latency.Count() < leastPackets {
		return
	}
	for _, q := range []float64{50, 99} {
		if c, p := crowd.Latency.Quantile(q), probes.Latency.Quantile(q); math.Abs(c-p) > maxLatencyApart {
			r.invalidate("the probes disagree with the crowd: latency p(%v) %s and %s (the limit is %s apart)",
				q, figure(p, metric.Milliseconds), figure(c, metric.Milliseconds), figure(maxLatencyApart, metric.Milliseconds))
		}
	}
}

func (r *Report) invalidate(format string, args ...any) {
	r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...))
}
