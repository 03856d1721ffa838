package record

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A Step is one of the steps of a join, which follow one another: the numbers of
// [metric.JoinSteps].
type Step int

const (
	StepDNS Step = iota
	StepTCP
	StepTLS
	// StepSignaling is all that is exchanged until the client has the server's answer,
	// less the steps before.
	StepSignaling
	StepICE
	StepDTLS
	// StepSubscription lasts until the server has said that it sends every voice of the
	// room. Only some kinds of server subscribe people to voices.
	StepSubscription
	// StepFirstPacket lasts until the first media packet has come, and StepFirstAudio
	// until one has whose audio is recognised. The listener sees both itself.
	StepFirstPacket
	StepFirstAudio
	JoinSteps
)

// String is the step's name in [metric.JoinSteps].
func (s Step) String() string { return metric.JoinSteps[s] }

// StepDurations are how long the steps of one join took, at worst and at best.
type StepDurations struct {
	Took        [JoinSteps]bool
	Worst, Best [JoinSteps]time.Duration
}

// slowest returns the longest steps.
func (d *StepDurations) slowest() (worst, best time.Duration) {
	for s := range d.Took {
		worst, best = max(worst, d.Worst[s]), max(best, d.Best[s])
	}
	return worst, best
}

// A stepTrend is a step's distribution over listeners.
type stepTrend struct{ worst, best metric.Trend }

// stepTrends are those of all steps, and of the slowest of each listener.
type stepTrends struct {
	each    [JoinSteps]stepTrend
	slowest stepTrend
}

func (t *stepTrends) enter(d StepDurations) {
	entered := false
	for s, took := range d.Took {
		if took {
			entered = true
			t.each[s].enter(d.Worst[s], d.Best[s])
		}
	}
	if entered {
		t.slowest.enter(d.slowest())
	}
}

func (t *stepTrend) enter(worst, best time.Duration) {
	t.worst.Record(metric.InMilliseconds(worst))
	t.best.Record(metric.InMilliseconds(best))
}

// all are the trends in a fixed order.
func (t *stepTrends) all() (all []*metric.Trend) {
	for s := range t.each {
		all = append(all, &t.each[s].worst, &t.each[s].best)
	}
	return append(all, &t.slowest.worst, &t.slowest.best)
}

func (t *stepTrends) merge(o *stepTrends) { mergeAll(t.all(), o.all()) }

// of returns the trend of a step by its name; "" is the slowest.
func (t *stepTrends) of(name string) *stepTrend {
	for s := range JoinSteps {
		if s.String() == name {
			return &t.each[s]
		}
	}
	return &t.slowest
}
