package ledger

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/mark"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// lawThresholds are thresholds on each kind of part of a metric.
func lawThresholds(t testing.TB) (all []metric.Threshold) {
	for _, row := range [][2]string{
		{"delivered", "rate >= 0.9 over 3s"}, {"latency", "p(99) < 20ms over 2s"}, {"mos", "min > 1 over 4s"}, {"mos_worst", "min > 1"},
		{"latency{network:3g}", "p(95) < 1s"}, {"delivered{role:speaker}", "rate > 0"}, {"latency{phase:late}", "max < 1s"},
		{"delivered{phase:late}", "rate >= 0 over 2s"}, {"joined{network:3g}", "rate > 0"}, {"join_step{step:dtls}", "max < 1s"},
	} {
		th, err := metric.ParseThreshold(row[0], row[1])
		require.NoError(t, err)
		all = append(all, th)
	}
	return all
}

// A world is one process of a run, or all of it.
type world struct {
	*scene
	sources []*Source // all of the run, its own or replicas
}

// TestPartsOfARunAreToTheBitOneRun plays a seeded run in one process and in several that
// share its listeners and its sources, and compares all figures.
func TestPartsOfARunAreToTheBitOneRun(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			comparePartsWithOne(t, seed)
		})
	}
}

func comparePartsWithOne(t *testing.T, seed uint64) { //nolint:gocognit // one run, told in order
	chance := rand.New(rand.NewPCG(seed, 1))
	n := 2 + chance.IntN(3)
	thresholds := lawThresholds(t)
	newWorld := func(i int) *world {
		w := &world{scene: newScene(t)}
		w.aggregator.Follow(thresholds)
		if i >= 0 {
			w.aggregator.Export()
			w.ledger.Await()
		}
		w.ledger.InRoom(4)
		return w
	}
	one := newWorld(-1)
	parts := make([]*world, n)
	all := []*world{one}
	for i := range parts {
		parts[i] = newWorld(i)
		all = append(all, parts[i])
	}
	const sourceCount, seconds = 3, 14
	for i := range sourceCount {
		clip := speechClip(700 + 100*i)
		for f := range clip.Frames {
			clip.Frames[f].Payload = fmt.Appendf(nil, "%d: frame %d", i, f)
		}
		first, offset := chance.IntN(700), time.Duration(chance.Int64N(int64(timebase.BinLength)))
		for w, world := range all {
			add := world.ledger.AddReplica
			if w == 0 || i%n == w-1 {
				add = func(c *speech.Clip, _ *mark.Code, first int, offset time.Duration) (*Source, error) {
					return world.ledger.AddSource(c, first, offset)
				}
			}
			m, err := add(clip, nil, first, offset)
			require.NoError(t, err)
			world.sources = append(world.sources, m)
		}
	}
	// Each person is in the one world, and in that of their part.
	type person struct{ in [2]*Listener }
	var people []person
	const listeners = 11
	for i := range listeners {
		labels := record.Labels{Network: []string{"", "3g"}[i%3/2], Probe: i%5 == 0, Role: []string{"", "speaker"}[i/10]}
		sections := 1 + chance.IntN(3)
		intended := time.Duration(chance.Int64N(int64(2 * time.Second)))
		took := time.Duration(chance.Int64N(int64(300 * time.Millisecond)))
		never := chance.IntN(8) == 0
		p := person{}
		for k, world := range []*world{one, parts[i%n]} {
			l := world.ledger.AddListener(sections, labels)
			world.aggregator.Arrival(intended)
			l.Expect(intended, intended, intended+3*time.Second)
			l.StepBegan(record.StepDTLS, intended)
			l.StepEnded(record.StepDTLS, intended+took)
			if !never {
				l.Connected(intended + took)
			} else {
				l.Connected(intended + 3*time.Second)
			}
			p.in[k] = l
		}
		people = append(people, p)
	}
	merged := record.NewAggregator()
	merged.Follow(thresholds)
	hosts := make([]string, n)
	for i := range hosts {
		hosts[i] = fmt.Sprint(i)
	}
	merger := record.NewMerger(merged, hosts)
	tell := func() {
		for _, i := range chance.Perm(n) {
			for _, p := range parts[i].aggregator.TakeParts() {
				text, err := json.Marshal(p)
				require.NoError(t, err)
				var got record.Part
				require.NoError(t, json.Unmarshal(text, &got))
				require.NoError(t, merger.Add(i, got))
			}
		}
	}
	begin := func(phase string, at time.Duration) {
		for _, w := range all {
			require.NoError(t, w.aggregator.Begin(phase, at))
		}
	}
	begin(record.Arrivals, 0)
	for b := timebase.Bin(0); b < seconds*50; b++ {
		now := b.Start()
		switch b {
		case 125:
			for _, w := range all {
				require.NoError(t, w.aggregator.Span("late", 8*time.Second+7*time.Millisecond, 11*time.Second))
			}
			begin(record.Steady, now+3*time.Millisecond)
		case 400:
			for _, w := range all {
				w.aggregator.Doubt(doubt.Stalled, now-300*time.Millisecond, now)
			}
		}
		type arrival struct {
			Packet
			to     [2]*Listener
			copies int
		}
		var arrivals []arrival
		for i := range sourceCount {
			mine := []int{0, i%n + 1} // the worlds that send it
			if chance.IntN(40) == 0 || b/60%timebase.Bin(i+2) == 1 {
				for _, w := range mine {
					all[w].sources[i].Decided(b + 1)
				}
				continue
			}
			late := time.Duration(0)
			if chance.IntN(60) == 0 {
				late = time.Duration(chance.Int64N(int64(9 * time.Millisecond)))
			}
			var packet Packet
			for _, w := range mine {
				packet = all[w].say(all[w].sources[i], b)
				all[w].sources[i].Sent(b, late)
				all[w].sources[i].Decided(b + 1)
			}
			packet.Talker, packet.At = uint32(i), packet.At+late
			for _, p := range people {
				if chance.IntN(30) == 0 {
					continue // lost
				}
				one := packet
				one.At += time.Duration(chance.Int64N(int64(4 * time.Millisecond)))
				one.Section = i % len(p.in[0].usual)
				arrivals = append(arrivals, arrival{one, p.in, 1 + chance.IntN(20)/19})
			}
		}
		slices.SortStableFunc(arrivals, func(a, b arrival) int { return int(a.At - b.At) })
		for _, a := range arrivals {
			for range a.copies {
				a.to[0].Receive(a.Packet)
				a.to[1].Receive(a.Packet)
			}
		}
		if b%10 == 9 { // what was sent is told
			horizon := timebase.Never
			for i := range parts {
				var own []*Source
				for s := range sourceCount {
					if s%n == i {
						own = append(own, parts[i].sources[s])
					}
				}
				horizon = min(horizon, Horizon(own, now))
			}
			for s := range sourceCount {
				if told, news := parts[s%n].sources[s].Tell(); news {
					for i := range parts {
						if i != s%n {
							require.NoError(t, parts[i].sources[s].Hear(told, 0))
						}
					}
				}
			}
			for _, w := range parts {
				w.ledger.Confirm(horizon)
			}
		}
		if b%50 == 49 {
			for _, w := range all {
				w.settle(now)
			}
			tell()
		}
	}
	stop := timebase.Bin(seconds * 50).Start()
	for _, w := range all {
		w.aggregator.Stop(stop)
		w.ledger.Stop(stop)
		w.ledger.Confirm(timebase.Never)
		w.ledger.Finish(stop + time.Second)
		w.aggregator.Finish(stop + time.Second)
	}
	tell()
	merger.Finish()

	want, got := one.aggregator.Totals(), merged.Totals()
	one.aggregator.Answer(want.Values, want.Best, thresholds)
	merged.Answer(got.Values, got.Best, thresholds)
	for _, d := range metric.Definitions() {
		if d.Parts.People || d.Name == "duplicates" {
			require.Contains(t, want.Values, d.Name)
		}
	}
	sameValues(t, "worst", want.Values, got.Values, thresholds)
	sameValues(t, "best", want.Best, got.Best, thresholds)
	assert.NotEmpty(t, got.Best, "something was in doubt")
	assert.Equal(t, want.Foreign, got.Foreign)
	assert.Equal(t, want.Received, got.Received)
	assert.Equal(t, want.Excused, got.Excused)
	for _, share := range [][2]record.Share{{want.Crowd, got.Crowd}, {want.Probes, got.Probes}} {
		assert.Equal(t, share[0].Delivered, share[1].Delivered)
		assert.Equal(t, share[0].Latency.Summary(), share[1].Latency.Summary())
		assert.ElementsMatch(t, share[0].Listeners, share[1].Listeners)
	}
	assert.Equal(t, one.aggregator.Marks(), merged.Marks())
	a, b := one.aggregator.Series(), merged.Series()
	require.Len(t, b.Points, len(a.Points))
	for i := range a.Points {
		p, q := a.Points[i], b.Points[i]
		if p.Latency != nil {
			require.NotNil(t, q.Latency)
			assert.Equal(t, p.Latency.Summary(), q.Latency.Summary())
		}
		p.Latency, q.Latency = nil, nil
		assert.Equal(t, p, q)
	}
	doubts, sum := one.aggregator.Doubted(), merger.Doubted()
	assert.Equal(t, doubts.Frames, sum.Frames)
	assert.Equal(t, doubts.LateFrames, sum.LateFrames)
	assert.Equal(t, doubts.Latest, sum.Latest)
	assert.Equal(t, doubts.Ambiguous, sum.Ambiguous)
	assert.Equal(t, doubts.LateJoins, sum.LateJoins)
}

// byEpoch are the metrics whose doubt is booked by the second in which packets were looked
// at, which for parts is up to a second later.
var byEpoch = []string{"audio_gap", "concealed", "frozen_time", "gaps_per_minute", "latency_listener", "mos", "mos_worst"}

func withoutEpochs(all metric.Values) metric.Values {
	rest := metric.Values{}
	for name, v := range all {
		if d, _ := metric.Lookup(name); !slices.Contains(byEpoch, d.Name) {
			rest[name] = v
		}
	}
	return rest
}

// sameValues asserts that two sets of values are to the bit the same.
func sameValues(t *testing.T, what string, want, got metric.Values, thresholds []metric.Threshold) {
	t.Helper()
	if what == "best" { // those of byEpoch are in doubt in one of them, or in both
		want, got = withoutEpochs(want), withoutEpochs(got)
	}
	require.Len(t, got, len(want), what)
	for name, w := range want {
		g, ok := got[name]
		if !assert.True(t, ok, "%s: %s is missing", what, name) {
			continue
		}
		switch w := w.(type) {
		case *metric.Trend:
			assert.Equal(t, w.Summary(), g.(*metric.Trend).Summary(), "%s: %s", what, name)
			a, _ := w.Histogram()
			b, _ := g.(*metric.Trend).Histogram()
			assert.Equal(t, a, b, "%s: %s", what, name)
		case *metric.Windows:
			assert.Equal(t, w.Number, g.(*metric.Windows).Number, "%s: %s", what, name)
			for _, th := range thresholds {
				if th.Source() == name {
					assert.Equal(t, th.Evaluate(want), th.Evaluate(got), "%s: %s", what, th)
				}
			}
		default:
			assert.Equal(t, w, g, "%s: %s", what, name)
		}
	}
}
