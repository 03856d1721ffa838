package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// A Verdict is what a run comes to.
type Verdict string

// The verdicts. Fail means that the server was at fault, whatever else went wrong;
// Pass that no doubt could have turned the verdict; Invalid that the figures can't
// decide.
const (
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"
	Invalid Verdict = "invalid"
)

// Beyond these bounds the generator did not play what the scenario asks for, so
// that a run that holds its thresholds is not passed. What the generator did to the
// figures themselves is in their intervals. docs/metrics.md explains them.
const (
	// maxForeign is the share of packets that may hold audio that nobody sent.
	maxForeign = 0.001
	// maxMistimed is the share of packets whose time stamps may be wrong. Servers may begin anew
	// where a talker does, or after a pause.
	maxMistimed = 0.1
	// maxSendLag is how late frames may go out and still be a stream: five frames'
	// length. Beyond, the server gets bursts.
	maxSendLag = 100 * time.Millisecond
	// maxJoinLag is how late joins may begin and still be the storm that the
	// scenario asked for.
	maxJoinLag = 250 * time.Millisecond
	// maxReadLag is how long packets may lie in the generator. Their latency
	// does not suffer, as the kernel stamps them; but a process that is this far
	// behind is no audience.
	maxReadLag = 250 * time.Millisecond
)

// A Report is a run with its verdict. It is not changed after [Judge]. Its methods write
// it, one file for each format.
type Report struct {
	Result     *loadgen.Result
	Thresholds []Judgement
	Verdict    Verdict
	// Reasons says why the verdict is invalid, or what besides the thresholds made
	// the run fail.
	Reasons []string
	// Command is the command line that plays it again, without secrets; "" if there is none.
	Command string
}

// A Judgement is a threshold and its result.
type Judgement struct {
	metric.Threshold
	metric.Result
}

// Judge judges a run: it fails if a threshold is crossed whatever is in doubt, and
// is invalid if one is undecided.
func Judge(result *loadgen.Result, thresholds []metric.Threshold) *Report {
	r := &Report{Result: result}
	var doubts []string
	undecided := false
	for _, t := range thresholds {
		j := r.judge(t)
		switch {
		case j.Undecided:
			undecided = true
			doubts = append(doubts, fmt.Sprintf("%s: %s is undecided: %s", t.Metric, t.Expression, thresholdValue(j)))
		case j.OK == nil && result.Aborted != nil:
			// The run ended before there could be any, and it has failed already.
		case j.OK == nil:
			doubts = append(doubts, fmt.Sprintf("no data for %s: %s", t.Metric, j.Reason))
		case !*j.OK:
			r.Verdict = Fail
		}
		r.Thresholds = append(r.Thresholds, j)
	}
	if perhaps := r.perhapsMistimed(); perhaps != "" {
		undecided = true
		doubts = append(doubts, perhaps)
	}
	if _, doubt := r.unpublished(); doubt != "" {
		undecided = true
		doubts = append(doubts, doubt)
	}
	if undecided {
		doubts = append(doubts, describeDoubts(result)...)
		for _, text := range []string{r.mistakenText(), r.unseenText()} {
			if text != "" {
				doubts = append(doubts, text)
			}
		}
	}
	if slices.ContainsFunc(r.Thresholds, func(j Judgement) bool { return j.Undecided && j.BeyondRange }) {
		doubts = append(doubts, "in doubt: of values above 60 s it is not kept how many are how great; ask for max, or set the limit to 60 s or less")
	}
	doubts = append(doubts, r.shortcomings()...)
	faults, limits := r.faults(), r.limits()
	switch {
	case r.Verdict == Fail || len(faults) > 0:
		r.Verdict, r.Reasons = Fail, faults
	case len(limits) > 0:
		r.Verdict, r.Reasons = Invalid, limits
	case len(doubts) > 0:
		r.Verdict, r.Reasons = Invalid, doubts
	default:
		r.Verdict = Pass
	}
	return r
}

// judge is a threshold's result.
func (r *Report) judge(t metric.Threshold) Judgement {
	run := r.Result
	j := Judgement{t, t.EvaluateBetween(run.Values, run.Best)}
	if a := run.Aborted; a != nil && a.Threshold.String() == t.String() {
		j.Result = a.Result // it stays crossed, whatever came after
	}
	d, _ := metric.Lookup(t.Metric)
	if j.OK == nil && !j.Undecided && d.Parts.People && heardNothing(run) {
		crossed := false
		j.OK, j.Reason = &crossed, "listeners were owed packets and received none"
	}
	if j.OK == nil && !j.Undecided && d.OfMics && publishedNothing(run) {
		crossed := false
		j.OK, j.Reason = &crossed, "mics were to open and none did"
	}
	if j.OK != nil && !*j.OK && (r.probesContradict(t) || r.limitMayCross(t) || r.mistaken(t)) {
		j.OK, j.Undecided = nil, true
	}
	if j.OK != nil && *j.OK && r.unseen(t) {
		j.OK, j.Undecided = nil, true
	}
	return j
}

// faults is what the server did that no threshold need ask for, and why one is crossed where that is
// not plain.
func (r *Report) faults() (all []string) {
	// No generator's fault does this to packets, unless they are taken for others.
	if !r.sentTooLate() {
		all = append(all, r.foreign(), r.mistimed())
	}
	if len(r.limits()) > 0 {
		all = append(all, r.refused()) // nor does a limit make a server say no
	} else {
		fault, _ := r.unpublished()
		all = append(all, fault)
		if r.Result.Server.Died {
			all = append(all, "the server's process ended during the run")
		}
		for _, p := range r.Result.Problems {
			if p.Unanswered {
				all = append(all, fmt.Sprintf("what the timeline asked for was not answered: %s", p))
			}
		}
	}
	return slices.DeleteFunc(all, func(fault string) bool { return fault == "" })
}

// foreign says that the server plays what nobody sent, if it does.
func (r *Report) foreign() string {
	u, _ := r.Result.Values["unrecognised"].(metric.Rate)
	share := metric.Rate{Passes: r.Result.Foreign, Total: u.Total}
	if share.Share() <= maxForeign {
		return ""
	}
	what := "audio that is not what was sent"
	elsewhere := 2*r.Result.Elsewhere >= r.Result.Foreign
	if elsewhere {
		what = "another room's audio"
	}
	text := fmt.Sprintf("the server plays %s: %s of the packets (the limit is 0.1%%)", what, percent(share.Share()))
	if !r.Result.Marked && !elsewhere {
		text += "; a server that mixes or transcodes can't be measured by its packets, but with audio_check: marker in the scenario"
	}
	return text
}

// mistimed says that the server's RTP time stamps do not follow what it plays, if they do not: whatever
// plays audio does so by them.
func (r *Report) mistimed() string {
	share := r.ofRecognised(r.Result.Mistimed)
	if share.Share() <= maxMistimed {
		return ""
	}
	return fmt.Sprintf("the server's RTP time stamps do not follow what it plays: %s of the packets (the limit is 10%%); for each frame of 20 ms they advance by 960 (RFC 7587, section 4.1), and players play by them", percent(share.Share()))
}

// perhapsMistimed says that it is not known whether they follow, if it is so: too few surely do not.
func (r *Report) perhapsMistimed() string {
	run := r.Result
	share := r.ofRecognised(run.Mistimed + run.PerhapsMistimed)
	if share.Share() <= maxMistimed || r.ofRecognised(run.Mistimed).Share() > maxMistimed {
		return ""
	}
	return fmt.Sprintf("the RTP time stamps of %s of the packets do not follow what the server plays (the limit is 10%%), of most perhaps since the generator sent late or the server waited for a core", percent(share.Share()))
}

// ofRecognised is so many packets as a share of those that were recognised.
func (r *Report) ofRecognised(packets uint64) metric.Rate {
	u, _ := r.Result.Values["unrecognised"].(metric.Rate)
	return metric.Rate{Passes: packets, Total: u.Total - min(u.Total, u.Passes)}
}

// shortcomings is why a run that crosses no threshold is still not what the
// scenario asks for.
func (r *Report) shortcomings() (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	run := r.Result
	if d, _ := run.Values["delivered"].(metric.Rate); d.Total == 0 && run.Aborted == nil {
		switch {
		case run.Seats > 0:
			add("no listener was owed a packet, so nothing was measured")
		case run.Mics.Connected == 0:
			add("nobody was cast to listen, and no mic got in, so nothing was measured")
		}
	}
	if m := run.Mics; m.Reported < m.Connected && r.asksForReports() {
		add("of %s, the server sent no receiver reports on %s that were true and lasted to the end, so that mic_loss and mic_jitter say nothing of them; leave out their thresholds if it sends none",
			count(m.Connected, "mic"), thousands(uint64(m.Connected-m.Reported)))
	}
	if len(run.Workers) == 0 {
		all = append(all, lateness("the generator", run.Generator)...)
		all = append(all, busyness(alone("the generator"), run.Generator)...)
	} else {
		all = append(all, workersShortcomings(run.Workers)...)
	}
	if why := disagreement(run); why != "" {
		all = append(all, why)
	}
	for _, p := range run.Problems {
		if p.Act && !p.Unanswered {
			add("the timeline could not be played as written: %s", p)
		}
	}
	return all
}

// lateness is how much later a generator did things than it may.
func lateness(who string, g tally.Generator) (all []string) {
	for _, lag := range []struct {
		what     string
		is, most time.Duration
	}{
		{"sent its frames", g.SendLag, maxSendLag},
		{"began its joins and acts", g.JoinLag, maxJoinLag},
		{"read its packets", g.ReadLag, maxReadLag},
	} {
		if lag.is > lag.most {
			all = append(all, fmt.Sprintf("%s was the bottleneck: it %s late, p(99)=%v (the limit is %v); give it more CPU, or a smaller scenario",
				who, lag.what, lag.is.Round(time.Millisecond), lag.most))
		}
	}
	return all
}

// processes are one or several, as sentences name them.
type processes struct{ name, were, them, used, they, their string }

// alone is one process.
func alone(name string) processes {
	return processes{name, "was", "it", "its process used", "it", "its"}
}

// busyness is whether processes used up their cores, or others kept them from these.
func busyness(who processes, g tally.Generator) (all []string) {
	if g.CPUs == 0 {
		return nil
	}
	if g.CPU > usage.MaxCPU*g.Cores() {
		may, remedy := count(g.CPUs, "core"), "give "+who.them+" more CPU"
		if g.Cores() < float64(g.CPUs) {
			may, remedy = fmt.Sprintf("%.2f cores", g.Quota), "raise the quota of "+who.their+" control group"
		}
		all = append(all, fmt.Sprintf("%s %s the bottleneck: %s %.2f of the %s that %s may use (the limit is %.0f%%); %s, or a smaller scenario",
			who.name, who.were, who.used, g.CPU, may, who.they, usage.MaxCPU*100, remedy))
	}
	if cores := float64(g.CPUs); g.CPUWait > usage.MaxCPUWait*cores {
		all = append(all, fmt.Sprintf("%s %s the bottleneck: others kept %s from the CPU, so that on average %.2f of %s threads waited for a core (the limit is %.0f for %s); stop what else runs, or give %s more CPU",
			who.name, who.were, who.them, g.CPUWait, who.their, usage.MaxCPUWait*cores, count(g.CPUs, "core"), who.them))
	}
	return all
}
