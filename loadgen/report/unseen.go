package report

import (
	"fmt"
	"slices"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// maxUnseen is the share of what listeners were due that the generator may have dropped before what it
// did receive no longer says what was sent to them. A server's late packets, or its copies, may come in
// bursts, which are what overflows a buffer.
const maxUnseen = 0.001

// ofReceived are the metrics of the packets that were received. Of latency the interval has what was dropped.
var ofReceived = []string{"latency_listener", "jitter", "out_of_order", "duplicates", "unrecognised", "unauthentic"}

// unseen reports whether a threshold that holds may do so since the generator dropped what would have crossed it.
func (r *Report) unseen(t metric.Threshold) bool {
	d, _ := metric.Lookup(t.Metric)
	return slices.Contains(ofReceived, d.Name) && r.muchUnseen()
}

// muchUnseen reports whether the generator may have dropped more of what was sent to listeners than that.
func (r *Report) muchUnseen() bool {
	l := r.Result.Losses
	return float64(l.Generator.Most) > maxUnseen*float64(l.Due)
}

// unseenText says so.
func (r *Report) unseenText() string {
	if !r.muchUnseen() {
		return ""
	}
	l := r.Result.Losses
	return fmt.Sprintf("in doubt: of what listeners were due, the generator may have dropped %s (the limit is %s); what it dropped may have been late, or out of order, or copies",
		percent(float64(l.Generator.Most)/float64(l.Due)), percent(maxUnseen))
}
