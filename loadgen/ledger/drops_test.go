package ledger

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestDropsAreSharedByAllListeners(t *testing.T) {
	for _, c := range []struct {
		sentence      string
		dropped       uint64 // a second
		delivered     float64
		loss          [2]float64 // the most and the mean at best, %
		mos, conceals float64    // the least, and the mean in %, at best
	}{
		{"a server that loses 5 % for each listener, beside a drop a second", 1, 0.951, [2]float64{4.5, 4}, 0, 3},
		{"the same beside 10 drops a second", 10, 0.97, [2]float64{3.5, 1.5}, 0, 0},
		{"as much as was dropped is not the server's", 50, 1, [2]float64{0, 0}, 4.2, 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			var all []*Listener
			for i := range 20 {
				l := s.ledger.AddListener(1, record.Labels{Network: "", Probe: i < 2})
				l.Expect(0, 0, 10*time.Second)
				l.Connected(0)
				all = append(all, l)
			}
			s.steady(0)
			const seconds = 12
			for b := range timebase.Bin(seconds * 50) {
				p := s.say(m, b)
				for i, l := range all {
					if (int(b)+i)%20 != 0 {
						l.Receive(p)
					}
				}
				if b%50 == 49 {
					now := (b + 1).Start()
					s.aggregator.Drop(c.dropped, max(0, now-2*time.Second), now)
					s.settle(now)
				}
			}
			totals := s.finish()
			worst, best := rate(t, totals, "delivered"), totals.Best["delivered"].(metric.Rate)
			assert.InDelta(t, 0.95, float64(worst.Passes)/float64(worst.Total), 0.002)
			assert.LessOrEqual(t, best.Passes-worst.Passes, c.dropped*seconds, "no more was lost than was dropped")
			assert.InDelta(t, c.delivered, float64(best.Passes)/float64(best.Total), 0.012)
			assert.Equal(t, best.Passes-worst.Passes, totals.Excused)
			loss := bestTrend(t, totals, "loss")
			assert.GreaterOrEqual(t, loss.Max, c.loss[0])
			assert.GreaterOrEqual(t, loss.Avg, c.loss[1])
			assert.GreaterOrEqual(t, bestTrend(t, totals, "mos").Min, c.mos)
			assert.GreaterOrEqual(t, bestTrend(t, totals, "concealed").Avg, c.conceals)
			if c.delivered == 1 {
				assert.Zero(t, loss.Max)
			}
			var shown uint64
			for _, p := range s.aggregator.Series().Points {
				shown = max(shown, p.Excused)
			}
			assert.LessOrEqual(t, shown, 7*c.dropped, "a point of the series has what may be of its second")
		})
	}
}

// A lossy is a run of which is known which packets the generator dropped: the truth is the same
// run with them.
type lossy struct {
	seed       uint64
	processes  int
	thresholds []metric.Threshold
}

// play plays it, with what the generator dropped or without, and returns the figures.
func (r lossy) play(t *testing.T, dropping bool) (record.Totals, uint64) { //nolint:gocognit // one run, told in order
	chance := rand.New(rand.NewPCG(r.seed, 7))
	const listeners, seconds = 9, 16
	merged := record.NewAggregator()
	merged.Follow(r.thresholds)
	merger := record.NewMerger(merged, slices.Repeat([]string{"here"}, r.processes))
	var parts []*scene
	var sources []*Source
	for range r.processes {
		s := newScene(t)
		s.aggregator.Follow(r.thresholds)
		s.aggregator.Export()
		parts = append(parts, s)
		sources = append(sources, s.source(speechClip(900), 0, 0))
	}
	var all []*Listener
	for i := range listeners {
		s := parts[i%r.processes]
		l := s.ledger.AddListener(1, record.Labels{Probe: i == 0, Role: []string{"", "speaker"}[i/8]})
		l.Expect(0, 0, 10*time.Second)
		l.Connected(0)
		all = append(all, l)
	}
	slow := []time.Duration{20 * time.Millisecond, 800 * time.Millisecond, 3 * time.Second}[chance.IntN(3)]
	loss, burst := []float64{0, 0.02, 0.1}[chance.IntN(3)], 1+chance.IntN(4)
	much := []float64{0.01, 0.1, 0.6}[chance.IntN(3)]
	lost := make([]int, listeners)
	type arrival struct {
		Packet
		to   *Listener
		in   int
		gone bool // the generator dropped it
	}
	var coming []arrival
	dropped, noticed := make([]uint64, r.processes), make([]time.Duration, r.processes)
	total := uint64(0)
	arrive := func(a arrival) {
		if a.gone {
			dropped[a.in]++
		} else {
			a.to.Receive(a.Packet)
		}
	}
	tell := func(now time.Duration) {
		for i, s := range parts {
			s.aggregator.Drop(dropped[i], noticed[i], now)
			total += dropped[i]
			dropped[i], noticed[i] = 0, now
			s.settle(now)
			for _, p := range s.aggregator.TakeParts() {
				text, err := json.Marshal(p)
				require.NoError(t, err)
				var got record.Part
				require.NoError(t, json.Unmarshal(text, &got))
				require.NoError(t, merger.Add(i, got))
			}
		}
	}
	for _, s := range parts {
		require.NoError(t, s.aggregator.Begin(record.Arrivals, 0))
	}
	from := 2 + chance.IntN(8) // when the generator drops
	for b := range timebase.Bin(seconds * 50) {
		if b == 100 {
			for _, s := range parts {
				require.NoError(t, s.aggregator.Begin(record.Steady, b.Start()))
			}
		}
		for i, s := range parts {
			p := s.say(sources[i], b)
			for k, l := range all {
				if k%r.processes != i {
					continue
				}
				if lost[k]--; lost[k] < 0 && chance.Float64() < loss {
					lost[k] = burst
				}
				one := p
				one.At += slow + time.Duration(chance.Int64N(int64(4*time.Millisecond)))
				gone := chance.Float64() < much
				if second := int(one.At / time.Second); lost[k] <= 0 {
					coming = append(coming, arrival{one, l, i, dropping && gone && second >= from && second < from+3})
				}
			}
		}
		now := (b + 1).Start()
		slices.SortStableFunc(coming, func(a, b arrival) int { return int(a.At - b.At) })
		for len(coming) > 0 && coming[0].At < now {
			arrive(coming[0])
			coming = coming[1:]
		}
		if b%50 == 49 {
			tell(now)
		}
	}
	for _, a := range coming {
		arrive(a)
	}
	stop := timebase.Bin(seconds * 50).Start()
	for _, s := range parts {
		s.aggregator.Stop(stop)
		s.ledger.Stop(stop)
		s.ledger.Finish(stop + 4*time.Second)
		s.aggregator.Finish(stop + 4*time.Second)
	}
	tell(stop + 4*time.Second)
	merger.Finish()
	totals := merged.Totals()
	merged.Answer(totals.Values, totals.Best, r.thresholds)
	return totals, total
}

// TestBestCaseOfDropsIsNoWorseThanTheTruth plays runs with what the generator dropped and without:
// a sound server must not be blamed for it, and a broken one must be for the rest.
func TestBestCaseOfDropsIsNoWorseThanTheTruth(t *testing.T) {
	var thresholds []metric.Threshold
	for _, row := range [][2]string{
		{"delivered", "rate >= 0.9"}, {"delivered", "rate >= 0.9 over 1s"}, {"delivered", "rate >= 0.9 over 3s"}, {"delivered{phase:steady}", "rate >= 0.9"},
		{"delivered{role:speaker}", "rate >= 0.9"}, {"delivered{role:speaker}", "rate >= 0.9 over 2s"}, {"loss", "max < 1"}, {"loss", "p(50) < 1"}, {"loss", "avg < 1"},
		{"loss", "min < 1"}, {"concealed", "max < 1"}, {"concealed", "med < 1"}, {"concealed", "avg < 1"}, {"gaps_per_minute", "max < 1"}, {"frozen_time", "max < 1s"},
		{"frozen_time", "med < 1s"}, {"mos", "min > 4"}, {"mos", "p(50) > 4"}, {"mos", "avg > 4"}, {"mos", "min > 4 over 4s"}, {"mos_worst", "min > 3"},
		{"latency_listener", "max < 1s"}, {"audio_gap", "max < 1s"},
	} {
		th, err := metric.ParseThreshold(row[0], row[1])
		require.NoError(t, err)
		thresholds = append(thresholds, th)
	}
	seeds := uint64(2)
	if os.Getenv("EARSHOT_SOAK") != "" {
		seeds = 50
	}
	for seed := range seeds {
		for _, processes := range []int{1, 3} {
			t.Run(fmt.Sprintf("seed %d, %d processes", seed, processes), func(t *testing.T) {
				t.Parallel()
				r := lossy{seed, processes, thresholds}
				got, dropped := r.play(t, true)
				truth, none := r.play(t, false)
				require.Zero(t, none)
				worst := rate(t, got, "delivered")
				if best, ok := got.Best["delivered"].(metric.Rate); ok {
					assert.LessOrEqual(t, best.Passes-worst.Passes, dropped, "no more was lost than was dropped")
				}
				for _, th := range thresholds {
					is, was := th.EvaluateBetween(got.Values, got.Best), th.Evaluate(truth.Values)
					require.NotNil(t, was.Value, "%s", th)
					best := *is.Value
					if is.Best != nil {
						best = *is.Best
					}
					if tolerance := 0.002 * *was.Value; strings.HasPrefix(string(th.Operator), ">") {
						assert.GreaterOrEqual(t, best, *was.Value-tolerance, "%s", th)
					} else {
						assert.LessOrEqual(t, best, *was.Value+tolerance, "%s", th)
					}
				}
			})
		}
	}
}

func TestDoubtDropsExcuseAsManyPacketsAsWereDropped(t *testing.T) {
	for _, c := range []struct {
		sentence string
		dropped  uint64
		passes   uint64
	}{
		{"all that is missing may have been dropped", 30, 600},
		{"a server that loses more than was dropped is not excused", 10, 580},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.listener(1)
			s.aggregator.Drop(c.dropped, 6*time.Second, 7*time.Second-timebase.BinLength)
			s.play(m, l, 605, func(b timebase.Bin) (time.Duration, bool) { return 0, b >= 310 && b < 340 })
			totals := s.finish()
			worst := rate(t, totals, "delivered")
			best, ok := totals.Best["delivered"].(metric.Rate)
			require.True(t, ok)
			assert.EqualValues(t, 570, worst.Passes)
			assert.Equal(t, c.passes, best.Passes)
			assert.Equal(t, worst.Total, best.Total)
			assert.Less(t, bestTrend(t, totals, "loss").Max, trend(t, totals, "loss").Max)
		})
	}
}
