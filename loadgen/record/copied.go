package record

import "github.com/earshot-audio/earshot/loadgen/metric"

// A CopiedRate is how many of the frames that did not come in time were played from copies
// in others, at worst and at best.
type CopiedRate struct {
	Worst, Best metric.Rate
	// Refused means that somebody asked for copies, and was sent none.
	Refused bool `json:",omitzero"`
}

func (r CopiedRate) plus(o CopiedRate) CopiedRate {
	return CopiedRate{r.Worst.Plus(o.Worst), r.Best.Plus(o.Best), r.Refused || o.Refused}
}
