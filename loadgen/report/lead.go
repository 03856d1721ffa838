package report

import (
	"fmt"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// Lead says in a sentence what came of the run: how many heard everything, and how late it
// was. It is empty if nothing was measured.
func (r *Report) Lead() string {
	var parts []string
	values := r.Result.Values
	loss, _ := values["loss"].(*metric.Trend)
	delivered, _ := values["delivered"].(metric.Rate)
	if joined, _ := values["joined"].(metric.Rate); joined.Total > 0 {
		text := fmt.Sprintf("%s of %s got in", thousands(joined.Passes), count(int(joined.Total), "listener"))
		if loss != nil && loss.Count() > 0 {
			switch all := loss.AtMost(0); {
			case all == loss.Count() && delivered.Passes < delivered.Total:
				text += ", and " + percent(delivered.Share()) + " of the packets" // a loss so small that the trend has it as 0
			case all > 0:
				text = fmt.Sprintf("%s of %s heard everything", thousands(all), count(int(joined.Total), "listener"))
			default:
				text += ", and none heard everything"
			}
		}
		parts = append(parts, text)
	}
	if latency, _ := values["latency"].(*metric.Trend); latency != nil && latency.Count() > 0 {
		_, most := latency.QuantileBounds(99)
		parts = append(parts, "99 % of packets came within "+withSpace(figure(most, metric.Milliseconds)))
	}
	if published, _ := values["published"].(metric.Rate); len(parts) == 0 && published.Total > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s published to the end", thousands(published.Passes), count(int(published.Total), "mic")))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, "; ") + "."
}

// withSpace is a figure with a space before its unit, as in prose.
func withSpace(figure string) string {
	end := strings.LastIndexAny(figure, "0123456789") + 1
	return figure[:end] + together + strings.TrimSpace(figure[end:])
}
