package metric

import (
	"slices"
	"strings"
)

// A Kind is how a metric's samples are kept, and so what can be asked of it.
type Kind string

const (
	KindRate    Kind = "rate"    // a share: passes of a total
	KindTrend   Kind = "trend"   // a distribution
	KindCounter Kind = "counter" // a number of events
	KindGauge   Kind = "gauge"   // one figure for the run
)

// A Unit is what a metric's values are expressed in. The empty unit is that of
// plain numbers.
type Unit string

const (
	None         Unit = ""
	Milliseconds Unit = "ms"
	Bytes        Unit = "bytes"
	Cores        Unit = "cores"
	Packets      Unit = "packets"
	Percent      Unit = "%"
)

// A Definition is what is fixed about a metric.
type Definition struct {
	Name string
	Kind Kind
	Unit Unit
	// Help is one sentence on what is measured, without a full stop.
	Help string
	// Compare is what is compared of the metric between the runs of two versions.
	Compare []Aspect
}

// A Direction is which values of a figure are the better ones.
type Direction int

const (
	Neither Direction = iota // a figure to know, and never a regression
	Lower
	Higher
)

// An Aspect is one number of a metric and which way it gets better.
type Aspect struct {
	// Stat is the aggregation as it stands in thresholds and summaries, or [Missed].
	Stat   string
	Better Direction
}

// Missed is what a rate falls short of 1 by. Rates near 1 are compared by it: from
// 99.99 % to 99.9 % is ten times the loss, and hardly a change of the rate.
const Missed = "missed"

// catalogue is every metric of a run, in the order in which they are reported.
var catalogue = [...]Definition{
	{"joined", KindRate, None, "listeners who heard their first packet, of the listeners cast", []Aspect{{Missed, Lower}}},
	{"join_duration", KindTrend, Milliseconds, "intended start of a join to the first media packet", []Aspect{{"med", Lower}, {"p(95)", Lower}}},
	{"delivered", KindRate, None, "media packets received, of those owed to each listener in each 20 ms", []Aspect{{Missed, Lower}}},
	{"recovered", KindRate, None, "packets that came after all, of those that listeners asked for again by NACK", []Aspect{{Missed, Lower}}},
	{"onset_clip", KindTrend, Milliseconds, "how much of the start of a turn a listener missed", []Aspect{{"avg", Lower}, {"p(95)", Lower}}},
	{"latency", KindTrend, Milliseconds, "intended send time of a packet at the speaker to its receive time at the listener's socket", []Aspect{{"med", Lower}, {"p(99)", Lower}, {"p(99.9)", Lower}}},
	{"unrecognised", KindRate, None, "packets received that could not be tied to one sent frame, of all received", []Aspect{{"rate", Neither}}},
	{"jitter", KindTrend, Milliseconds, "interarrival jitter of RFC 3550, per listener", []Aspect{{"med", Lower}, {"p(99)", Lower}}},
	{"loss", KindTrend, Percent, "share of the packets owed to a listener that did not come, per listener", []Aspect{{"avg", Lower}, {"p(99)", Lower}}},
	{"concealed", KindTrend, Percent, "share of the frames owed to a listener that did not come in time to be played, per listener", []Aspect{{"avg", Lower}, {"p(99)", Lower}}},
	{"audio_gap", KindTrend, Milliseconds, "longest stretch without a new packet while someone spoke, per listener", []Aspect{{"med", Lower}, {"p(99)", Lower}}},
	{"gaps_per_minute", KindTrend, None, "stretches of 60 ms and more that could not be played, a minute of speech, per listener", []Aspect{{"avg", Lower}, {"p(99)", Lower}}},
	{"mos", KindTrend, None, "estimated listening quality from 1 to 4.5 by the E-model, per listener", []Aspect{{"avg", Higher}, {"min", Higher}}},
	{"promote_duration", KindTrend, Milliseconds, "acknowledgement of a promotion to the first packet of the promoted that anybody heard", []Aspect{{"med", Lower}, {"max", Lower}}},
	{"mute_silence", KindTrend, Packets, "packets of one whom the moderator muted or demoted that were meant to be sent after the acknowledgement and were heard", []Aspect{{"max", Lower}}},
	{"kick_silence", KindTrend, Packets, "packets that one who was put out sent or received though they were meant to be sent after the acknowledgement", []Aspect{{"max", Lower}}},
	{"no_shows", KindCounter, None, "invited guests who did not come, of whom the host was told", []Aspect{{"count", Neither}}},
	{"duplicates", KindCounter, Packets, "packets that a listener received a second time", []Aspect{{"count", Lower}}},
	{"out_of_order", KindCounter, Packets, "packets that reached a listener after a later one", []Aspect{{"count", Lower}}},
	{"unauthentic", KindCounter, Packets, "packets that failed a listener's authentication", []Aspect{{"count", Lower}}},
	{"server_cpu", KindGauge, Cores, "cores that the server process used, user and system, in the steady state", []Aspect{{"value", Lower}}},
	{"server_rss", KindGauge, Bytes, "resident memory of the server process", []Aspect{{"value", Lower}}},
	{"packets_per_core", KindGauge, None, "media packets received by listeners per core-second of the server, in the steady state", []Aspect{{"value", Higher}}},
	{"generator_lag", KindTrend, Milliseconds, "how late the generator was with its own sends and joins, and in reading its own sockets", []Aspect{{"p(99)", Neither}}},
	{"generator_drops", KindCounter, Packets, "packets that the generator's sockets or its machine's backlog dropped", []Aspect{{"count", Neither}}},
}

// Lookup finds a metric by its name. A name with a selector, or with a window as
// in [Threshold.Source], is of the metric without them.
func Lookup(name string) (Definition, bool) {
	if base, _, selected := strings.Cut(name, "{"); selected {
		name = base
	}
	if base, _, windowed := strings.Cut(name, " over "); windowed {
		name = base
	}
	return lookup(name)
}

func lookup(name string) (Definition, bool) {
	for _, d := range catalogue {
		if d.Name == name {
			return d, true
		}
	}
	return Definition{}, false
}

// Definitions lists every metric in the order in which they are reported. The
// caller owns the slice.
func Definitions() []Definition { return slices.Clone(catalogue[:]) }
