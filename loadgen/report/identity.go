package report

import (
	"fmt"
	"slices"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// mistakenFrom is from what lateness of the generator's own frames on a packet may be taken for another, or for
// none. What it is is told by what it holds, among all that was sent within [record.Lateness] before: half of
// that is the server's.
const mistakenFrom = record.Lateness / 2

// ofPackets are the metrics that rest on which packet is which, of many packets, and ofFewPackets those that a few
// packets may cross.
var (
	ofPackets = []string{
		"delivered", "latency", "latency_listener", "unrecognised", "jitter", "loss", "concealed", "frozen_time", "gaps_per_minute",
		"mos", "mos_worst", "audio_score", "audio_gap", "onset_clip", "out_of_order", "promote_duration", "recovered",
	}
	ofFewPackets = []string{"duplicates", "mute_silence", "kick_silence"}
)

// mistaken reports whether a threshold that is crossed at best may be so since packets were taken for others:
// the generator sent its frames seconds late. No interval has that.
func (r *Report) mistaken(t metric.Threshold) bool {
	d, _ := metric.Lookup(t.Metric)
	switch {
	case slices.Contains(ofPackets, d.Name):
		return r.sentTooLate()
	case slices.Contains(ofFewPackets, d.Name):
		return r.Result.Doubts.Latest >= mistakenFrom
	}
	return false
}

// sentTooLate reports whether the generator sent so many frames so late that many packets may be taken for others.
func (r *Report) sentTooLate() bool { return r.Result.Generator.SendLag >= mistakenFrom }

// mistakenText says so.
func (r *Report) mistakenText() string {
	if r.Result.Doubts.Latest < mistakenFrom {
		return ""
	}
	return fmt.Sprintf("in doubt: the generator sent frames up to %s late; what is later than %s may be taken for another packet", lag(r.Result.Doubts.Latest), lag(mistakenFrom))
}
