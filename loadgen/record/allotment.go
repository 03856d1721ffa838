package record

import (
	"math"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// Allotments are how many of the packets that the generator dropped may have been one
// listener's, in the cases that are kept apart.
var Allotments = [...]uint64{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, math.MaxUint64}

// SharedDrops are one figure of listeners, or of mics, that may have lost packets by drops: for each
// allotment, if each of them had been allotted so many, a sample each.
type SharedDrops [len(Allotments)]metric.Trend

// Enter enters one's, of whose losses so many may have been dropped: atBest is what it is if no
// more than so many were.
func (s *SharedDrops) Enter(droppable uint64, atBest func(dropped uint64) float64) {
	for i, each := range Allotments {
		s[i].Record(atBest(min(each, droppable)))
	}
}

// Best is the figures at best, if no more packets were dropped than that of all of them together.
func (s *SharedDrops) Best(dropped uint64, higherIsBetter bool) *metric.Trend {
	return bestAllotted(func(i int) *metric.Trend { return &s[i] }, dropped, higherIsBetter)
}

// allotted are what listeners experienced at best who may have lost packets by drops: for each
// allotment, if each of them had been allotted so many, a sample each.
//
// It is not known who lost the packets that were dropped. But of n packets, no more than
// n/(a+1) listeners can have lost more than a. So whatever was whose, all but so many had no
// better than what is kept of a.
type allotted [len(Allotments)]experiences

func (a *allotted) merge(o *allotted) {
	for i := range a {
		a[i].merge(&o[i])
	}
}

// best is a metric at best, of listeners who may have lost packets by drops: of all of them no
// more than dropped.
func (a *allotted) best(of func(*experiences) *metric.Trend, dropped uint64, higher bool) *metric.Trend {
	return bestAllotted(func(i int) *metric.Trend { return of(&a[i]) }, dropped, higher)
}

// bestAllotted is that of the trends of all allotments.
func bestAllotted(of func(allotment int) *metric.Trend, dropped uint64, higher bool) *metric.Trend {
	if dropped == 0 {
		all := &metric.Trend{}
		all.Merge(of(0))
		return all
	}
	var trends []*metric.Trend
	var but []uint64
	for i, each := range Allotments {
		trends = append(trends, of(i))
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
