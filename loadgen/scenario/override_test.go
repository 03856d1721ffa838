package scenario

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func parsed(t *testing.T, src string) *Scenario {
	s, err := Parse("x.yaml", []byte(src))
	require.NoError(t, err)
	return s
}

func TestWithListeners(t *testing.T) {
	s := parsed(t, good)
	more, err := s.WithListeners(70)
	require.NoError(t, err)
	assert.Equal(t, 70, more.Listeners())
	assert.Equal(t, 70, more.Room.Capacity, "the room grows with them")
	assert.Equal(t, 9, s.Listeners(), "the original is as it was")
	assert.Equal(t, 9, s.Room.Capacity)

	fewer, err := s.WithListeners(3)
	require.NoError(t, err)
	assert.Equal(t, 9, fewer.Room.Capacity, "and does not shrink")

	tight, err := parsed(t, good+"room: {capacity: 5}").WithListeners(20)
	require.NoError(t, err)
	assert.Equal(t, 5, tight.Room.Capacity, "a room meant to be too small stays so")
}

func TestWithListenersKeepsProportions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(1, 5000), 1, 6).Draw(t, "counts")
		n := rapid.IntRange(len(counts), 50_000).Draw(t, "n")
		s := &Scenario{Name: "x", Rooms: 1, Room: RoomSpec{Capacity: 1, Halls: 1, Slots: 1}, Hold: 1, JoinDeadline: 1}
		sum := 0
		for _, c := range counts {
			s.Cast = append(s.Cast, Group{Role: Listener, Count: c})
			sum += c
		}
		got, err := s.WithListeners(n)
		if err != nil {
			t.Fatal(err)
		}
		if got.Listeners() != n {
			t.Fatalf("%d listeners, not %d", got.Listeners(), n)
		}
		for i, g := range got.Cast {
			want := float64(n) * float64(counts[i]) / float64(sum)
			// Each group that would have none takes one from the others.
			if g.Count < 1 || float64(g.Count) > want+float64(len(counts)) || float64(g.Count) < want-float64(len(counts)) {
				t.Fatalf("group %d of %v has %d of %d, not about %v", i, counts, g.Count, n, want)
			}
		}
	})
}

func TestWithListenersRefuses(t *testing.T) {
	two := parsed(t, good+"  - {role: listener, count: 2}\n")
	_, err := two.WithListeners(1)
	assert.EqualError(t, err, "1 is too few: each group of listeners keeps one, and the cast has 2")
	_, err = two.WithListeners(1_000_001)
	assert.ErrorContains(t, err, "too many")
	_, err = two.WithListeners(1_000_000)
	assert.ErrorContains(t, err, "the rooms hold 1000001 people in all")

	_, err = parsed(t, edit("  - {role: listener, count: 9}\n", "")).WithListeners(3)
	assert.ErrorContains(t, err, "casts no listeners")

	s := parsed(t, good+"timeline: [{at: 1s, who: listener, count: 9, do: raise-hand}]")
	changed, err := s.WithListeners(8)
	assert.EqualError(t, err, "timeline[0].count: count is 9: a room has at most 8 with the role of listener then")
	assert.Nil(t, changed)
}

func TestWithHold(t *testing.T) {
	s := parsed(t, good+"timeline: [{at: 5s, who: listener, do: leave}]")
	longer, err := s.WithHold(time.Minute)
	require.NoError(t, err)
	assert.Equal(t, Duration(time.Minute), longer.Hold)
	assert.Equal(t, Duration(9*time.Second), s.Hold)
	for d, want := range map[time.Duration]string{
		0:               "hold: hold is 0s",
		-time.Second:    "hold: hold is -1s",
		48 * time.Hour:  "hold: hold is 48h0m0s: the longest is 24h0m0s",
		4 * time.Second: "timeline[0].at: at is 5s, outside of the hold of 4s",
	} {
		_, err := s.WithHold(d)
		assert.ErrorContains(t, err, want)
	}
}

func TestWithSeedAndThreshold(t *testing.T) {
	s := parsed(t, good)
	assert.EqualValues(t, -5, s.WithSeed(-5).Seed)
	assert.EqualValues(t, 1, s.Seed)

	one, err := s.AddThreshold("latency", "p(99) < 20ms")
	require.NoError(t, err)
	two, err := one.AddThreshold("joined", "rate == 1")
	require.NoError(t, err)
	assert.Empty(t, s.Thresholds)
	assert.Len(t, one.Thresholds, 1)
	assert.Len(t, two.Thresholds, 2)
	_, err = s.AddThreshold("latncy", "p(99) < 20ms")
	assert.ErrorContains(t, err, "did you mean latency?")
}

func TestPromotedListenersCountAsSpeakers(t *testing.T) {
	src := good + "timeline:\n- {at: 1s, who: listener, count: 2, do: promote}\n- {at: 2s, who: speaker, count: 3, do: demote}\n"
	parsed(t, src)
	_, err := Parse("x.yaml", []byte(strings.Replace(src, "count: 3", "count: 4", 1)))
	assert.ErrorContains(t, err, "count is 4: a room has at most 3 with the role of speaker then")
}

func TestWithSpeakersRoomsAndArrivalRate(t *testing.T) {
	s, err := Parse("x.yaml", []byte(whole))
	require.NoError(t, err)

	more, err := s.WithSpeakers(12)
	require.NoError(t, err)
	assert.Equal(t, 12, more.Cast[1].Count)
	assert.Equal(t, 4, s.Cast[1].Count, "the first is as it was")
	_, err = s.WithSpeakers(1)
	assert.ErrorContains(t, err, "overlap", "two of one can't talk at the same time")

	more, err = s.WithRooms(7)
	require.NoError(t, err)
	assert.Equal(t, 7, more.Rooms)
	_, err = s.WithRooms(0)
	assert.Error(t, err)

	// 300 listeners in each of two rooms.
	more, err = s.WithArrivalRate(100)
	require.NoError(t, err)
	assert.Equal(t, Arrivals{Within: Duration(6 * time.Second), Shape: SCurve}, more.Cast[2].Arrive)
	assert.Equal(t, Arrivals{Within: Duration(6 * time.Second), Shape: Linear}, more.Cast[3].Arrive, "those who came all at once, too")
	for _, rate := range []float64{0, -1, math.NaN()} {
		_, err = s.WithArrivalRate(rate)
		assert.Error(t, err)
	}
	_, err = s.WithArrivalRate(0.001)
	assert.ErrorContains(t, err, "longer than")
	burst := s.clone()
	burst.Cast[2].Arrive = Arrivals{Shape: Burst}
	_, err = burst.WithArrivalRate(10)
	assert.ErrorContains(t, err, "burst")
}

func TestWithThresholdsReplacesTheOwn(t *testing.T) {
	s, err := Parse("x.yaml", []byte(whole))
	require.NoError(t, err)
	other, err := s.WithThresholds([]string{"joined: rate == 1"})
	require.NoError(t, err)
	require.Len(t, other.Thresholds, 1)
	assert.Equal(t, "joined", other.Thresholds[0].Metric)
	assert.Len(t, s.Thresholds, 3)
	_, err = s.WithThresholds([]string{"joned: rate == 1"})
	assert.Error(t, err)
}

func TestAddThresholdText(t *testing.T) {
	base, err := Parse("x.yaml", []byte(edit("count: 9", "count: 9, network: 3g")+"timeline: [{at: 2s, name: storm}]"))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		text, want string
		abort      bool
		delay      time.Duration
	}{
		"a plain one":               {"latency: p(99) < 20ms", "latency: p(99) < 20ms", false, 0},
		"a selector with its colon": {"latency{network:3g}: p(99) < 20ms", "latency{network:3g}: p(99) < 20ms", false, 0},
		"several keys and a window": {" delivered{ phase:storm , network:3g } :rate>=0.5 over 2s", "delivered{network:3g,phase:storm}: rate >= 0.5 over 2s", false, 0},
		"the long form":             {"delivered: {threshold: rate >= 0.5, abort_on_fail: true, delay: 3s}", "delivered: rate >= 0.5", true, 3 * time.Second},
		"the long form of a part":   {`latency{phase:steady}: {threshold: "p(99) < 20ms over 3s", abort_on_fail: true}`, "latency{phase:steady}: p(99) < 20ms over 3s", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := base.AddThresholdText(tt.text)
			require.NoError(t, err)
			got := s.Thresholds[len(s.Thresholds)-1]
			assert.Equal(t, tt.want, got.String())
			assert.Equal(t, tt.abort, got.AbortOnFail)
			assert.Equal(t, tt.delay, got.Delay)
			assert.Len(t, base.Thresholds, 0, "the scenario itself is as it was")
		})
	}
	for name, tt := range map[string]struct{ text, err string }{
		"no colon":                      {"latency", `"latency" is not of the form 'metric: expression'`},
		"a selector and nothing else":   {"latency{network:3g}", "is not of the form"},
		"a misspelt metric":             {"latncy: max < 1s", `unknown metric "latncy": did you mean latency?`},
		"a misspelt metric, long":       {"latncy: {threshold: max < 1s}", `unknown metric "latncy": did you mean latency?`},
		"a network that there is not":   {"latency{network:4g}: max < 1s", `there is no network "4g": the cast has 3g`},
		"a phase that there is not":     {"latency{phase:calm}: max < 1s", `there is no phase "calm": there are arrivals, steady, storm`},
		"a window that does not fit":    {"latency{phase:storm}: max < 1s over 8s", "a window of 8s does not fit: there are 7s"},
		"an unknown field":              {"latency: {threshold: max < 1s, abort: true}", `has no field "abort"`},
		"braces that do not close":      {"latency: {threshold: max < 1s", "threshold:1:"},
		"a condition that is no text":   {"latency: {threshold: 3}", "must be text"},
		"a delay without abort_on_fail": {"latency: {threshold: max < 1s, delay: 3s}", "it needs abort_on_fail: true"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := base.AddThresholdText(tt.text)
			assert.ErrorContains(t, err, tt.err)
			assert.Nil(t, s)
		})
	}
}

func FuzzAddThresholdText(f *testing.F) {
	for _, text := range []string{
		"latency: p(99) < 20ms", "latency{phase:steady}: max<1s over 2s", "delivered: {threshold: rate >= 0.5, abort_on_fail: true, delay: 3s}",
		"delivered{role:speaker}:{threshold: 'rate>0'}", "mos{", ":", "latency: {a: &b [*b]}",
	} {
		f.Add(text)
	}
	base, err := Parse("x.yaml", []byte(good))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := base.AddThresholdText(text)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.NoError(t, s.Validate())
		got := s.Thresholds[len(s.Thresholds)-1]
		// What was read can be written and read again.
		again, err := base.AddThresholdText(got.String())
		require.NoError(t, err)
		require.Equal(t, got.String(), again.Thresholds[0].String())
		require.True(t, got.AbortOnFail || got.Delay == 0)
	})
}
