package measure

import (
	"math"
	"time"
)

// The play-out buffer that a listener is taken to have is the one of their
// browser, as far as it decides which packets come in time: the delay manager of
// NetEQ in WebRTC (modules/audio_coding/neteq: delay_manager.cc,
// underrun_optimizer.cc, histogram.cc), with its default figures.
const (
	// playoutStart is the delay before anything is known: kStartDelayMs.
	playoutStart = 80 * time.Millisecond
	// playoutStep is the resolution of the delay: kBucketSizeMs.
	playoutStep = 20 * time.Millisecond
	// playoutSteps is how many there are, to 2 s: kDelayBuckets.
	playoutSteps = 100
	// playoutSample is how often the greatest delay enters the histogram:
	// resample_interval_ms.
	playoutSample = 500 * time.Millisecond
	// playoutHistory is for how long the fastest packet is the measure of the
	// others, in samples: kMaxHistoryMs of 2 s.
	playoutHistory = 4
	// playoutQuantile of the delays shall be met: quantile.
	playoutQuantile = 0.95
	// playoutForget is how much of what is known stays with each sample:
	// forget_factor. At first it is less: start_forget_weight.
	playoutForget = 0.983
	playoutWeight = 2
)

// A playout is the adaptive play-out buffer of one section of an ear. A packet
// is played if it comes at most the present delay after the fastest of the last
// two seconds. NetEQ reaches a new delay by stretching what it plays; here it
// holds at once. The zero playout is an empty one.
type playout struct {
	now    int64 // the number of the present sample
	begun  bool
	base   time.Duration // latency of the fastest packet of the last samples
	most   time.Duration // the greatest latency above it, in the present sample
	delay  time.Duration // that is waited for packets after the base
	least  [playoutHistory]time.Duration
	adds   int
	weight []float32 // of each step of delay; the sum is 1
}

// arrive takes a packet and reports when it would have been played, after its
// intended send time, and whether it came too late for that.
func (p *playout) arrive(at, latency time.Duration) (played time.Duration, late bool) {
	if n := int64(at / playoutSample); n > p.now || !p.begun {
		p.turn(n)
	}
	i := p.now % playoutHistory
	p.least[i] = min(p.least[i], latency)
	p.base = min(p.base, latency)
	over := latency - p.base
	p.most = max(p.most, over)
	return p.base + p.delay, over > p.delay
}

const noLatency = time.Duration(math.MaxInt64)

// turn goes on to sample n.
func (p *playout) turn(n int64) {
	if !p.begun {
		p.begun, p.delay, p.weight = true, playoutStart, make([]float32, playoutSteps)
		w := float32(1)
		for i := range p.weight {
			w /= 2
			p.weight[i] = w
		}
		for i := range p.least {
			p.least[i] = noLatency
		}
	} else {
		p.sample()
		for k := max(p.now+1, n-playoutHistory+1); k <= n; k++ {
			p.least[k%playoutHistory] = noLatency
		}
	}
	p.now, p.most, p.base = n, 0, noLatency
	for _, l := range p.least {
		p.base = min(p.base, l)
	}
}

// sample enters the greatest delay of the sample that ends, and chooses the
// delay anew.
func (p *playout) sample() {
	p.adds++
	keep := float32(min(playoutForget, max(0, 1-float64(playoutWeight)/float64(p.adds+1))))
	step := min(int(p.most/playoutStep), playoutSteps-1)
	var sum, all float32
	for i := range p.weight {
		p.weight[i] *= keep
		if i == step {
			p.weight[i] += 1 - keep
		}
		all += p.weight[i]
	}
	for i, w := range p.weight {
		if sum += w; sum >= playoutQuantile*all {
			p.delay = time.Duration(i+1) * playoutStep
			return
		}
	}
}
