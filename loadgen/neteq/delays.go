package neteq

import (
	"math"
	"time"
)

const (
	// startDelay is the target before anything is known: kStartDelayMs.
	startDelay = 80 * time.Millisecond
	// bucketLength is the resolution of the target: kBucketSizeMs.
	bucketLength = 20 * time.Millisecond
	// buckets is how many there are, to 2 s: kDelayBuckets.
	buckets = 100
	// quantile of the delays is to be met by the target: quantile.
	quantile = 0.95
	// forget is how much of the histogram stays with each entry: forget_factor.
	forget = 0.983
	// startWeight makes the first entries count more: start_forget_weight.
	startWeight = 2
	// resample is how often the greatest delay enters the histogram:
	// resample_interval_ms.
	resample = 500 * time.Millisecond
	// reorderForget is how much of the histogram of reordered frames stays with
	// each frame: reorder_forget_factor.
	reorderForget = 0.9993
	// lossCost is how much delay one percent of loss is worth:
	// ms_per_loss_percent.
	lossCost = 20 * time.Millisecond
	// historyLength is for how long the fastest frame is the measure of the
	// others: kPacketHistorySizeMs.
	historyLength = 2 * time.Second
	// The history is kept in parts of so many frames, as powers of two. NetEQ keeps
	// each frame.
	partShift    = 4
	partFrames   = 1 << partShift
	historyParts = 8
)

// historyReach is how many parts before the newest belong to the history.
const historyReach = int64(historyLength/FrameLength+partFrames-1)/partFrames - 1

const (
	unknown = time.Duration(math.MaxInt64)
	// nothing is the extremes of a part without frames.
	nothing = math.MaxInt32
)

// extremes are the least and the greatest delay of the frames of one part, in ticks.
// They are small because thousands of buffers share a processor's cache.
type extremes struct{ least, most int32 }

// delays finds the target delay from how late frames arrive: DelayManager and
// PacketArrivalHistory in NetEQ. The delay of a frame is the time from its media
// time to its arrival; its relative delay is that less the delay of the fastest
// frame of the last two seconds. The zero delays knows nothing.
type delays struct {
	begun    bool
	arrivals int
	newest   int64 // the latest frame in media time
	part     int64 // the newest part of the history
	history  [historyParts]extremes
	min, max time.Duration // of the whole history

	// The underrun optimizer.
	since   time.Duration // when the present sample began
	sampled time.Duration // greatest relative delay of the sample
	samples int
	weights *[buckets]float32
	optimum time.Duration // 0: not known yet

	reordering *reordering
	count      int // frames entered into reordering, or that would have been
}

// target is the delay that the buffer aims at.
func (d *delays) target() time.Duration {
	t := d.optimum
	if t == 0 {
		t = startDelay
	}
	if d.reordering != nil {
		t = max(t, d.reordering.optimum)
	}
	return t
}

// fastest is the delay of the fastest frame in the history.
func (d *delays) fastest() time.Duration {
	if !d.begun {
		return 0
	}
	return d.min
}

// greatest is the greatest relative delay in the history.
func (d *delays) greatest() time.Duration {
	if !d.begun {
		return 0
	}
	return d.max - d.min
}

// arrive enters a frame, at a whole number of ticks.
func (d *delays) arrive(frame int64, at time.Duration) {
	delay := at - time.Duration(frame)*FrameLength
	part := frame >> partShift
	reordered := d.begun && frame < d.newest
	if !d.begun {
		d.begun, d.newest, d.part, d.since = true, frame, part, at
		for i := range d.history {
			d.history[i] = extremes{nothing, -nothing}
		}
		d.min, d.max = unknown, -unknown
	}
	if part < d.part-historyReach {
		return // older than the history
	}
	if part > d.part {
		for p := max(d.part+1, part-historyParts+1); p <= part; p++ {
			d.history[p%historyParts] = extremes{nothing, -nothing}
		}
		d.part = part
		d.min, d.max = unknown, -unknown
		for p := max(0, part-historyReach); p <= part; p++ {
			if e := d.history[p%historyParts]; e.least != nothing {
				d.min, d.max = min(d.min, time.Duration(e.least)*tick), max(d.max, time.Duration(e.most)*tick)
			}
		}
	}
	e, ticks := &d.history[part%historyParts], int32(delay/tick)
	e.least, e.most = min(e.least, ticks), max(e.most, ticks)
	d.min, d.max = min(d.min, delay), max(d.max, delay)
	d.newest = max(d.newest, frame)
	if d.arrivals++; d.arrivals < 2 {
		return // no delay can be told from one frame
	}
	relative := delay - d.min
	if !reordered {
		d.underrun(at, relative)
	}
	d.count++
	if d.reordering == nil {
		if !reordered {
			return
		}
		d.reordering = newReordering(d.count - 1)
	}
	d.reordering.arrive(relative, reordered, d.optimum)
}

// underrun enters the relative delay of a frame that came in order.
func (d *delays) underrun(at, relative time.Duration) {
	if at-d.since > resample {
		d.sample()
		d.since, d.sampled = at, 0
	}
	d.sampled = max(d.sampled, relative)
}

// sample enters the greatest delay of a sample, and chooses the optimum anew.
func (d *delays) sample() {
	if d.weights == nil {
		d.weights = new([buckets]float32)
		w := float32(1)
		for i := range d.weights {
			w /= 2
			d.weights[i] = w
		}
	}
	if bucket := int(d.sampled / bucketLength); bucket < buckets { // a greater delay is not entered
		d.samples++
		keep := float32(forgetting(d.samples, forget))
		for i := range d.weights {
			d.weights[i] *= keep
		}
		d.weights[bucket] += 1 - keep
	}
	var sum float32
	for i, w := range d.weights {
		d.optimum = time.Duration(i+1) * bucketLength
		if sum += w; sum >= quantile {
			return
		}
	}
}

// forgetting is how much of a histogram stays with its entry number n, from 1:
// at first little, so that the histogram learns fast.
func forgetting(n int, steady float64) float64 {
	return min(steady, max(0, 1-float64(startWeight)/float64(n)))
}
