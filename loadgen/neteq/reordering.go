package neteq

import "time"

// reordering weighs delay against the loss of frames that come after later ones:
// ReorderOptimizer in NetEQ. Its histogram holds the relative delay of each
// reordered frame, and 0 for each other.
//
// The bucket weights are kept undecayed and scaled by one factor, so that a
// frame in order costs no walk over the histogram.
type reordering struct {
	count   int
	scale   float64
	weights [buckets]float64 // times scale
	optimum time.Duration
	pending int // frames since the optimum was chosen
}

// newReordering makes the histogram after so many frames in order.
func newReordering(inOrder int) *reordering {
	r := &reordering{count: inOrder, scale: 1}
	r.weights[0] = 1
	return r
}

func (r *reordering) arrive(relative time.Duration, reordered bool, base time.Duration) {
	bucket := 0
	if reordered {
		bucket = int(relative / bucketLength)
	}
	if bucket < buckets {
		r.enter(bucket)
	}
	if r.pending++; reordered || r.pending >= buckets {
		r.choose(base)
	}
}

func (r *reordering) enter(bucket int) {
	r.count++
	keep := forgetting(r.count, reorderForget)
	if keep*r.scale < 1e-9 {
		for i := range r.weights {
			r.weights[i] *= r.scale * keep
		}
		r.scale = 1
		r.weights[bucket] += 1 - forgetting(r.count, reorderForget)
		return
	}
	r.scale *= keep
	r.weights[bucket] += (1 - keep) / r.scale
}

// choose finds the delay that costs least, if all of the delay beyond base counts
// and each percent of loss is worth lossCost.
func (r *reordering) choose(base time.Duration) {
	r.pending = 0
	loss, best, cheapest := 1.0, 0, -1.0
	for i, w := range r.weights {
		loss = max(0, loss-w*r.scale)
		cost := float64(max(0, time.Duration(i)*bucketLength-base)) + 100*float64(lossCost)*loss
		if cheapest < 0 || cost < cheapest {
			cheapest, best = cost, i
		}
		if loss == 0 {
			break
		}
	}
	r.optimum = time.Duration(best+1) * bucketLength
}
