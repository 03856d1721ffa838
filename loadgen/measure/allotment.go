package measure

import (
	"math"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// allotments are how many of the packets that the generator dropped may have been one
// listener's, in the cases that are kept apart.
var allotments = [...]uint64{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, math.MaxUint64}

// allotted are what listeners experienced at best who may have lost packets by drops: for each
// allotment, if each of them had been allotted so many, a sample each.
//
// It is not known who lost the packets that were dropped. But of n packets, no more than
// n/(a+1) listeners can have lost more than a. So whatever was whose, all but so many had no
// better than what is kept of a.
type allotted [len(allotments)]experiences

func (a *allotted) merge(o *allotted) {
	for i := range a {
		a[i].merge(&o[i])
	}
}

// best is a metric at best, of listeners who may have lost packets by drops: of all of them no
// more than dropped.
func (a *allotted) best(of func(*experiences) *metric.Trend, dropped uint64, higher bool) *metric.Trend {
	if dropped == 0 {
		all := &metric.Trend{}
		all.Merge(of(&a[0]))
		return all
	}
	var trends []*metric.Trend
	var but []uint64
	for i, each := range allotments {
		trends = append(trends, of(&a[i]))
		if each == math.MaxUint64 {
			but = append(but, 0)
			continue
		}
		but = append(but, dropped/(each+1))
	}
	if higher {
		return metric.Highest(trends, but)
	}
	return metric.Lowest(trends, but)
}
