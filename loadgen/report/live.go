package report

import (
	"fmt"
	"io"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A Live is a run that goes on, as its [Report] will be.
type Live struct {
	// Result has what is known before the end: what is played, where, and the
	// values, series and marks so far.
	Result     *loadgen.Result
	Progress   loadgen.Progress
	Thresholds []metric.Threshold
}

// WriteBody writes the state of the run as the body of a page that has [Style].
// A threshold without data is still waiting for it.
func (l Live) WriteBody(w io.Writer) error {
	r := &Report{Result: l.Result}
	for _, t := range l.Thresholds {
		r.Thresholds = append(r.Thresholds, Judgement{t, t.EvaluateBetween(l.Result.Values, l.Result.Best)})
	}
	return r.writePage(w, "body", &l)
}

func (l Live) now() string {
	p := l.Progress
	is, of, in := p.In()
	text := fmt.Sprintf("%s · %s: %s of %s %s", seconds(p.Elapsed), p.Phase, thousands(uint64(is)), thousands(uint64(of)), in)
	if p.Phase == "steady" && p.Hold > 0 {
		text += fmt.Sprintf(" · %s of %s measured", seconds(min(p.InPhase, p.Hold)), seconds(p.Hold))
	}
	return text + " · plots are some seconds behind, since packets may still come"
}
