package report

import (
	"fmt"
	"slices"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// ofReceived are the metrics of the packets that were received. Of latency the interval has what was dropped.
var ofReceived = []string{"latency_listener", "jitter", "out_of_order", "duplicates", "unrecognised", "unauthentic"}

// unseen reports whether a threshold that holds may do so since the generator dropped what would have crossed it.
func (r *Report) unseen(t metric.Threshold) bool {
	d, _ := metric.Lookup(t.Metric)
	return slices.Contains(ofReceived, d.Name) && r.muchUnseen()
}

// muchUnseen reports whether the generator may have dropped more than [record.MaxUnseen].
func (r *Report) muchUnseen() bool {
	l := r.Result.Losses
	return float64(l.Generator.Most) > record.MaxUnseen*float64(l.Due)
}

// unseenText says so.
func (r *Report) unseenText() string {
	if !r.muchUnseen() {
		return ""
	}
	l := r.Result.Losses
	return fmt.Sprintf("in doubt: of what listeners were due, the generator may have dropped %s (the limit is %s); what it dropped may have been late, or out of order, or copies",
		percent(float64(l.Generator.Most)/float64(l.Due)), percent(record.MaxUnseen))
}
