package capacity

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/loadgen/report"
)

// bears plays a server that carries loads up to most, by a generator that carries them
// up to own.
func bears(most, own int, played *[]int) func(context.Context, int) (Step, error) {
	return func(_ context.Context, load int) (Step, error) {
		*played = append(*played, load)
		switch {
		case load > own:
			return Step{Verdict: report.Invalid}, nil
		case load > most:
			return Step{Verdict: report.Fail}, nil
		}
		return Step{Verdict: report.Pass}, nil
	}
}

func TestSearchDoublesThenBisectsThenConfirms(t *testing.T) {
	for _, c := range []struct {
		name      string
		most, own int
		within    float64
		played    []int
		limit     Limit
		largest   int
		verdict   report.Verdict
	}{
		{"to the last", 41, 1000, 0, []int{10, 20, 40, 80, 80, 60, 50, 45, 42, 41, 42, 41}, Server, 41, report.Pass},
		{"within a tenth", 41, 1000, 0.1, []int{10, 20, 40, 80, 80, 60, 50, 45, 42, 42, 40}, Server, 40, report.Pass},
		{"everything passes", 1000, 1000, 0, []int{10, 20, 40, 80, 100, 100}, Range, 100, report.Pass},
		{"nothing passes", 9, 1000, 0, []int{10, 10}, Nothing, 0, report.Fail},
		{"the generator is the limit", 1000, 44, 0.2, []int{10, 20, 40, 80, 80, 60, 60, 50, 50, 45, 45, 40}, Generator, 40, report.Invalid},
		{"the generator can't even begin", 1000, 5, 0, []int{10, 10}, Nothing, 0, report.Invalid},
		{"the generator is the limit first, and then the server", 30, 50, 0.1, []int{10, 20, 40, 40, 30, 35, 32, 32, 30}, Server, 30, report.Pass},
	} {
		t.Run(c.name, func(t *testing.T) {
			var played []int
			r, err := Search(t.Context(), Plan{From: 10, To: 100, Within: c.within}, bears(c.most, c.own, &played))
			require.NoError(t, err)
			assert.Equal(t, c.played, played)
			assert.Equal(t, c.limit, r.Limit)
			assert.Equal(t, c.largest, r.Largest)
			assert.Equal(t, c.verdict, r.Verdict())
			assert.Len(t, r.Curve(), len(played), "the curve has every try")
		})
	}
}

// unlucky is a server that bears loads up to most, of which given tries have another
// verdict than they should.
func unlucky(most int, wrong map[int]report.Verdict, played *[]int) func(context.Context, int) (Step, error) {
	honest := bears(most, 1_000_000, played)
	return func(ctx context.Context, load int) (Step, error) {
		step, err := honest(ctx, load)
		if v, ok := wrong[len(*played)]; ok { // counted from 1
			step.Verdict = v
		}
		return step, err
	}
}

func TestSearchIsNotDecidedByOneUnluckyStep(t *testing.T) {
	for _, c := range []struct {
		name    string
		most    int
		wrong   map[int]report.Verdict
		played  []int
		largest int
	}{
		{"a failure in the doubling", 1000, map[int]report.Verdict{2: report.Fail}, []int{10, 20, 20, 20, 40, 80, 100, 100}, 100},
		{"an invalid step in the doubling", 1000, map[int]report.Verdict{2: report.Invalid}, []int{10, 20, 20, 40, 80, 100, 100}, 100},
		{"a failure in the bisection", 70, map[int]report.Verdict{6: report.Fail}, []int{10, 20, 40, 80, 80, 60, 50, 55, 57, 58, 60, 60, 70, 75, 72, 72, 70}, 70},
		{"a load that passes by luck", 40, map[int]report.Verdict{6: report.Pass}, []int{10, 20, 40, 80, 80, 60, 70, 65, 62, 62, 60, 60, 50, 45, 42, 42, 40}, 40},
		{"a failure of the smallest load", 1000, map[int]report.Verdict{1: report.Fail}, []int{10, 10, 10, 20, 40, 80, 100, 100}, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			var played []int
			r, err := Search(t.Context(), Plan{From: 10, To: 100, Within: 0.05}, unlucky(c.most, c.wrong, &played))
			require.NoError(t, err)
			assert.Equal(t, c.played, played)
			assert.InDelta(t, c.largest, r.Largest, 2)
			assert.Equal(t, report.Pass, r.Verdict())
		})
	}
}

func TestSearchReturnsPartialResultOnError(t *testing.T) {
	broken := errors.New("broken")
	var played []int
	honest := bears(1000, 1000, &played)
	r, err := Search(t.Context(), Plan{From: 10, To: 40}, func(ctx context.Context, load int) (Step, error) {
		if load == 40 {
			return Step{}, broken
		}
		return honest(ctx, load)
	})
	assert.ErrorIs(t, err, broken)
	assert.ErrorContains(t, err, "at a load of 40")
	assert.Equal(t, 20, r.Largest)
}

func TestSearchReturnsPartialResultOnInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var played []int
	honest := bears(1000, 1000, &played)
	r, err := Search(ctx, Plan{From: 10, To: 40}, func(ctx context.Context, load int) (Step, error) {
		if load == 40 {
			cancel()
		}
		return honest(ctx, load)
	})
	require.NoError(t, err)
	assert.Equal(t, Interrupted, r.Limit)
	assert.Equal(t, 20, r.Largest)
	assert.Len(t, r.Steps, 2, "the step that was cut short does not count")
}

func TestSearchRejectsBadPlans(t *testing.T) {
	for name, p := range map[string]Plan{
		"from nothing": {From: 0, To: 10}, "backwards": {From: 10, To: 9},
		"within more than all": {From: 1, To: 2, Within: 1.5}, "within less than nothing": {From: 1, To: 2, Within: -1},
	} {
		_, err := Search(t.Context(), p, nil)
		assert.Error(t, err, name)
	}
}

// Whatever the server and the generator can carry, the search comes as near as it
// should, plays no load more than twice if its verdicts agree, and takes few steps.
func TestSearchFindsTheLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		from := rapid.IntRange(1, 1000).Draw(rt, "from")
		to := rapid.IntRange(from, 20_000).Draw(rt, "to")
		most := rapid.IntRange(0, 25_000).Draw(rt, "most")
		own := rapid.IntRange(0, 25_000).Draw(rt, "own")
		within := rapid.Float64Range(0, 0.5).Draw(rt, "within")
		var played []int
		r, err := Search(context.Background(), Plan{From: from, To: to, Within: within}, bears(most, own, &played))
		require.NoError(rt, err)
		bound := min(most, own)
		seen := map[int]int{}
		for _, load := range played {
			seen[load]++
			require.GreaterOrEqual(rt, load, from)
			require.LessOrEqual(rt, load, to)
			require.LessOrEqual(rt, seen[load], majority)
		}
		require.LessOrEqual(rt, len(seen), 32)
		switch {
		case bound < from:
			require.Equal(rt, Nothing, r.Limit)
		case bound >= to:
			require.Equal(rt, Range, r.Limit)
			require.Equal(rt, to, r.Largest)
		default:
			require.LessOrEqual(rt, r.Largest, bound)
			require.Greater(rt, r.Beyond, bound)
			require.LessOrEqual(rt, r.Beyond-r.Largest, max(1, int(within*float64(r.Largest))))
			want := Server
			if r.Beyond > own {
				want = Generator
			}
			require.Equal(rt, want, r.Limit)
		}
	})
}
