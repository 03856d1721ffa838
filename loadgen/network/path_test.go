package network

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The seeds are fixed: these tests check the model's distributions against their
// definitions and do not depend on chance.
const (
	seed1, seed2 = 1, 2
	many         = 400_000
)

// sent is what happened to packets sent one after the other.
type sent struct {
	delays []time.Duration // of those that arrived
	lost   []bool          // by chance, of all packets
	dropped,
	arrived int
}

func send(d Direction, n, size int, every time.Duration) sent {
	p := NewPath(d, seed1, seed2)
	var s sent
	for i := range n {
		at := time.Duration(i) * every
		arrives, fate := p.Pass(at, size)
		s.lost = append(s.lost, fate == Lost)
		switch fate {
		case Delivered:
			s.arrived++
			s.delays = append(s.delays, arrives-at)
		case Dropped:
			s.dropped++
		}
	}
	return s
}

// runs returns the lengths of consecutive losses.
func (s sent) runs() (runs []int) {
	run := 0
	for _, lost := range append(s.lost, false) {
		switch {
		case lost:
			run++
		case run > 0:
			runs = append(runs, run)
			run = 0
		}
	}
	return runs
}

func (s sent) loss() float64 {
	n := 0
	for _, lost := range s.lost {
		if lost {
			n++
		}
	}
	return float64(n) / float64(len(s.lost))
}

func mean[T int | time.Duration](all []T) float64 {
	var sum float64
	for _, v := range all {
		sum += float64(v)
	}
	return sum / float64(len(all))
}

// within5 returns five standard errors of a share that is estimated from n draws.
func within5(share float64, n int) float64 { return 5 * math.Sqrt(share*(1-share)/float64(n)) }

func TestPathRandomLoss(t *testing.T) {
	for _, share := range []float64{0.002, 0.01, 0.05, 0.3} {
		s := send(Direction{Loss: share}, many, 100, 20*time.Millisecond)
		assert.InDelta(t, share, s.loss(), within5(share, many))
		// Runs of independent losses are geometrically distributed.
		runs := s.runs()
		assert.InDelta(t, 1/(1-share), mean(runs), 5*math.Sqrt(share)/(1-share)/math.Sqrt(float64(len(runs))))
	}
}

func TestPathBurstLoss(t *testing.T) {
	for _, c := range []struct {
		name string
		b    Bursts
	}{
		{"seldom and short", Bursts{Every: 500, Length: 2}},
		{"often and long", Bursts{Every: 95, Length: 8}},
		{"of one packet", Bursts{Every: 20, Length: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := send(Direction{Bursts: c.b}, many, 100, 20*time.Millisecond)
			runs := s.runs()
			n := float64(len(runs))
			// The length is geometric with a mean of L: its deviation is √(L(L-1)).
			assert.InDelta(t, c.b.Length, mean(runs), 5*math.Sqrt(c.b.Length*(c.b.Length-1)/n)+1e-9)
			assert.InDelta(t, many/(c.b.Every+c.b.Length), n, 5*math.Sqrt(n), "how many bursts there were")
			assert.InDelta(t, Direction{Bursts: c.b}.LossShare(), s.loss(), 0.1*s.loss())
			slices.Sort(runs)
			share := 1 - math.Pow(1-1/c.b.Length, float64(int(c.b.Length))) // P(run ≤ L)
			short, _ := slices.BinarySearch(runs, int(c.b.Length)+1)
			assert.InDelta(t, share, float64(short)/n, within5(share, len(runs))+1e-9, "the distribution, not the mean alone")
		})
	}
}

// A handshake's attempts are seconds apart: what is lost of them is by chance.
func TestPathBurstEndsWhileNothingIsSent(t *testing.T) {
	b := Bursts{Every: 95, Length: 8}
	share := b.Length / (b.Every + b.Length)
	s := send(Direction{Bursts: b}, many, 100, time.Second)
	runs := s.runs()
	assert.InDelta(t, share, s.loss(), within5(share, many))
	assert.InDelta(t, 1/(1-share), mean(runs), 5*math.Sqrt(share)/(1-share)/math.Sqrt(float64(len(runs))))
}

func TestPathBurstDensity(t *testing.T) {
	d := Direction{Loss: 0.01, Bursts: Bursts{Every: 190, Length: 10, Density: 0.6}}
	s := send(d, many, 100, 20*time.Millisecond)
	assert.InDelta(t, 0.95*0.01+0.05*0.6, d.LossShare(), 1e-12)
	assert.InDelta(t, d.LossShare(), s.loss(), 0.05*d.LossShare())
}

// distance is the largest difference between a sample's distribution and the expected
// one (Kolmogorov-Smirnov).
func distance(sample []float64, f func(float64) float64) (d float64) {
	slices.Sort(sample)
	for i, x := range sample {
		n := float64(len(sample))
		d = max(d, math.Abs(f(x)-float64(i)/n), math.Abs(f(x)-float64(i+1)/n))
	}
	return d
}

func TestPathJitterDistribution(t *testing.T) {
	for _, c := range []struct {
		shape Shape
		f     func(x float64) float64 // of multiples of the spread, up to the cut
		cut   float64
		mean  float64
	}{
		{Normal, func(x float64) float64 { return math.Erf(x / math.Sqrt2) }, 3, math.Sqrt(2 / math.Pi)},
		{"", func(x float64) float64 { return math.Erf(x / math.Sqrt2) }, 3, math.Sqrt(2 / math.Pi)},
		{Uniform, func(x float64) float64 { return x }, 1, 0.5},
		{Exponential, func(x float64) float64 { return 1 - math.Exp(-x) }, math.Inf(1), 1},
		{Pareto, func(x float64) float64 { return 1 - math.Pow(1+x/2, -3) }, 20, 1},
	} {
		t.Run("shape "+string(c.shape), func(t *testing.T) {
			const n = 20_000
			// Packets are a minute apart, so that none waits for another.
			s := send(Direction{Delay: ms(40), Jitter: Jitter{Spread: ms(10), Shape: c.shape}}, n, 100, time.Minute)
			require.Equal(t, n, s.arrived)
			assert.GreaterOrEqual(t, slices.Min(s.delays), ms(40), "the delay is the least")
			var spreads []float64
			cut := 0
			for _, d := range s.delays {
				x := float64(d-ms(40)) / float64(ms(10))
				assert.LessOrEqual(t, x, c.cut)
				if x > c.cut-1e-6 {
					cut++
					continue
				}
				spreads = append(spreads, x)
			}
			if !math.IsInf(c.cut, 1) {
				assert.InDelta(t, 1-c.f(c.cut), float64(cut)/n, within5(1-c.f(c.cut), n)+1e-9, "what is cut off")
			}
			// 1.63/√n is exceeded by one sample in a hundred.
			whole := c.f(c.cut)
			if math.IsInf(c.cut, 1) {
				whole = 1
			}
			assert.Less(t, distance(spreads, func(x float64) float64 { return c.f(x) / whole }), 1.63/math.Sqrt(n))
			assert.InDelta(t, c.mean*10, mean(s.delays)/1e6-40, 0.4)
		})
	}
}

func TestPathReordersOnlyIfAllowed(t *testing.T) {
	for _, reorder := range []bool{false, true} {
		p := NewPath(Direction{Jitter: Jitter{Spread: ms(50), Reorder: reorder}}, seed1, seed2)
		overtook := 0
		var last time.Duration
		for i := range 2000 {
			arrives, _ := p.Pass(time.Duration(i)*ms(20), 100)
			if arrives < last {
				overtook++
			}
			last = arrives
		}
		if reorder {
			assert.Greater(t, overtook, 200)
		} else {
			assert.Zero(t, overtook)
		}
	}
}

func TestPathBandwidthAndQueueLimits(t *testing.T) {
	d := Direction{Delay: ms(30), Bandwidth: 100e3, Queue: ms(200)}
	// Twice as much as fits: 200 kbit/s, headers included.
	const size = 222
	every := time.Duration(float64(8*(size+headers)) / 200e3 * 1e9)
	s := send(d, 10_000, size, every)
	seconds := (10_000 * every).Seconds()
	got := float64(s.arrived*8*(size+headers)) / seconds
	assert.InDelta(t, 100e3, got, 100e3*0.005, "bits a second")
	assert.Equal(t, 10_000, s.arrived+s.dropped)
	takes := ms(20)
	assert.LessOrEqual(t, slices.Max(s.delays), ms(30)+ms(200)+takes, "the queue, and the packet itself")
	assert.Greater(t, slices.Max(s.delays), ms(30)+ms(190), "which was full")
	assert.Equal(t, ms(30)+takes, s.delays[0], "an idle line takes the packet's own time")

	idle := send(d, 1000, size, ms(100))
	assert.Zero(t, idle.dropped)
	assert.Equal(t, ms(50), slices.Max(idle.delays), "what fits does not wait")
}

func TestPresetsMatchTheirFigures(t *testing.T) {
	for _, name := range Presets() {
		profile, ok := Preset(name)
		require.True(t, ok)
		require.NoError(t, profile.Validate(), name)
		for direction, d := range map[string]Direction{"up": profile.Up, "down": profile.Down} {
			t.Run(name+" "+direction, func(t *testing.T) {
				// Speech: 80 bytes each 20 ms.
				s := send(d, many, 80, ms(20))
				assert.Zero(t, s.dropped, "speech fits the bandwidth")
				deviation := math.Sqrt(d.LossShare() * max(2*d.Bursts.Length, 1) / many)
				assert.InDelta(t, d.LossShare(), s.loss(), 5*deviation)
				assert.GreaterOrEqual(t, slices.Min(s.delays), d.Delay)
				assert.LessOrEqual(t, slices.Max(s.delays), d.Delay+3*d.Jitter.Spread+ms(4), "and the packet's own time")
				// The mean of |N| is 0.8 spreads; packets that keep their order are
				// later than that.
				assert.Greater(t, mean(s.delays), float64(d.Delay)+0.79*float64(d.Jitter.Spread))
			})
		}
	}
	_, ok := Preset("5g")
	assert.False(t, ok)
}

func TestPresetLossyLosesFivePercent(t *testing.T) {
	p, _ := Preset("lossy")
	assert.InDelta(t, 0.05, p.Down.LossShare(), 0.0005)
}

// For any figures and packets, a path keeps its definition and gives the same results
// for the same seed.
func TestPathIsAFunctionOfSeedAndPackets(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		share := rapid.Float64Range(0, 1)
		spread := rapid.IntRange(0, 100)
		d := Direction{
			Delay:     ms(spread.Draw(rt, "delay")),
			Jitter:    Jitter{Spread: ms(spread.Draw(rt, "spread")), Shape: rapid.SampledFrom(Shapes()).Draw(rt, "shape"), Reorder: rapid.Bool().Draw(rt, "reorder")},
			Loss:      share.Draw(rt, "loss"),
			Bandwidth: rapid.SampledFrom([]float64{0, 1e3, 64e3, 1e6}).Draw(rt, "bandwidth"),
			Queue:     ms(spread.Draw(rt, "queue")),
		}
		if rapid.Bool().Draw(rt, "bursts") {
			d.Bursts = Bursts{Every: 1 + 50*share.Draw(rt, "every"), Length: 1 + 10*share.Draw(rt, "length"), Density: share.Draw(rt, "density")}
		}
		require.NoError(rt, (&Profile{Name: "x", Up: d}).Validate())
		a, b := NewPath(d, 7, 8), NewPath(d, 7, 8)
		var at, last time.Duration
		for range rapid.IntRange(1, 200).Draw(rt, "packets") {
			at += ms(spread.Draw(rt, "pause"))
			size := rapid.IntRange(0, 1400).Draw(rt, "size")
			arrives, fate := a.Pass(at, size)
			again, same := b.Pass(at, size)
			require.Equal(rt, fate, same)
			require.Equal(rt, arrives, again)
			if fate != Delivered {
				continue
			}
			require.GreaterOrEqual(rt, arrives, at+d.Delay)
			if !d.Jitter.Reorder {
				require.GreaterOrEqual(rt, arrives, last)
			}
			last = max(last, arrives)
		}
	})
}

func TestPathRandomnessOfEachFigureIsIndependent(t *testing.T) {
	plain := send(Direction{Loss: 0.1}, 1000, 100, ms(20))
	slow := send(Direction{Loss: 0.1, Delay: ms(100), Jitter: Jitter{Spread: ms(9)}}, 1000, 100, ms(20))
	assert.Equal(t, plain.lost, slow.lost)
}
