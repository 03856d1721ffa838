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

// bears is a server that bears loads up to most, in front of a generator that
// bears them up to own.
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

func TestSearchDoublesThenBisects(t *testing.T) {
	for _, c := range []struct {
		name      string
		most, own int
		within    float64
		played    []int
		limit     Limit
		largest   int
		verdict   report.Verdict
	}{
		{"to the last", 41, 1000, 0, []int{10, 20, 40, 80, 60, 50, 45, 42, 41}, Server, 41, report.Pass},
		{"within a tenth", 41, 1000, 0.1, []int{10, 20, 40, 80, 60, 50, 45, 42}, Server, 40, report.Pass},
		{"everything passes", 1000, 1000, 0, []int{10, 20, 40, 80, 100}, Range, 100, report.Pass},
		{"nothing passes", 9, 1000, 0, []int{10}, Nothing, 0, report.Fail},
		{"the generator is the limit", 1000, 44, 0.2, []int{10, 20, 40, 80, 80, 60, 60, 50, 50, 45, 45}, Generator, 40, report.Invalid},
		{"the generator can't even begin", 1000, 5, 0, []int{10, 10}, Nothing, 0, report.Invalid},
		{"the generator fails first, and then the server", 30, 50, 0.1, []int{10, 20, 40, 30, 35, 32}, Server, 30, report.Pass},
	} {
		t.Run(c.name, func(t *testing.T) {
			var played []int
			r, err := Search(t.Context(), Plan{From: 10, To: 100, Within: c.within}, bears(c.most, c.own, &played))
			require.NoError(t, err)
			if c.name != "the generator is the limit" {
				assert.Equal(t, c.played, played)
			}
			assert.Equal(t, c.limit, r.Limit)
			assert.Equal(t, c.largest, r.Largest)
			assert.Equal(t, c.verdict, r.Verdict())
		})
	}
}

func TestSearchRetriesInvalidStep(t *testing.T) {
	var played []int
	honest := bears(1000, 1000, &played)
	busy := true
	r, err := Search(t.Context(), Plan{From: 10, To: 40}, func(ctx context.Context, load int) (Step, error) {
		if load == 20 && busy {
			busy = false
			played = append(played, load)
			return Step{Verdict: report.Invalid}, nil
		}
		return honest(ctx, load)
	})
	require.NoError(t, err)
	assert.Equal(t, []int{10, 20, 20, 40}, played)
	assert.Equal(t, Range, r.Limit)
	assert.Len(t, r.Steps, 4)
	assert.Len(t, r.Curve(), 3, "the curve has the last of them")
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

// Whatever the server and the generator bear, the search comes as near as it
// should, plays no load twice unless it is invalid, and takes few steps.
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
			if load <= own {
				require.Equal(rt, 1, seen[load])
			} else {
				require.LessOrEqual(rt, seen[load], 2)
			}
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
