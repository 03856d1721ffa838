package capacity

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/report"
)

var trials = flag.Int("trials", 500, "how many searches a row of the simulation has")

// A weather is what makes steps differ from each other.
type weather struct {
	noise   float64 // standard deviation of what the server can carry from step to step, as a share
	badLuck float64 // share of steps that fail at any load
	busy    float64 // share of steps that are invalid at any load
}

// search looks for a limit of 3000. It returns what it found, as a share of it, whether
// it claims that this is the server's limit, and how many steps it took.
func (w weather) search(t *testing.T, random *rand.Rand) (share float64, claimed bool, steps int) {
	const limit = 3000
	r, err := Search(t.Context(), Plan{From: 200, To: 20_000, Within: 0.05}, func(_ context.Context, load int) (Step, error) {
		switch {
		case random.Float64() < w.busy:
			return Step{Verdict: report.Invalid}, nil
		case random.Float64() < w.badLuck || float64(load) > limit*math.Exp(w.noise*random.NormFloat64()):
			return Step{Verdict: report.Fail}, nil
		}
		return Step{Verdict: report.Pass}, nil
	})
	require.NoError(t, err)
	return float64(r.Largest) / limit, r.Verdict() == report.Pass, len(r.Steps)
}

// A step that fails or is invalid by bad luck must not decide a search. The table of
// docs/statistics.md is from
//
//	go test ./loadgen/capacity -run TestSimulation -v -trials 10000
func TestSimulationOfTheSearchError(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "%d searches a row, within 5 %%\n", *trials)
	fmt.Fprintf(&table, "| noise | bad luck | busy | below 0.8 of the limit | 5th percentile | median | 95th percentile | above 1.1 of it | exit 98 or 99 | steps |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, w := range []weather{{0, 0, 0}, {0.03, 0, 0}, {0, 0.02, 0}, {0.03, 0.02, 0}, {0.03, 0.05, 0}, {0.03, 0.02, 0.05}, {0.1, 0.02, 0}} {
		random := rand.New(rand.NewPCG(3, 9))
		var shares []float64
		low, high, invalid, played := 0.0, 0.0, 0.0, 0
		for range *trials {
			share, claimed, steps := w.search(t, random)
			played += steps
			if !claimed {
				invalid++
				continue
			}
			shares = append(shares, share)
			if share < 0.8 {
				low++
			}
			if share > 1.1 {
				high++
			}
		}
		slices.Sort(shares)
		n := float64(*trials)
		at := func(q float64) float64 { return shares[int(q*float64(len(shares)-1))] }
		fmt.Fprintf(&table, "| %.0f %% | %.0f %% | %.0f %% | %.1f %% | %.2f | %.2f | %.2f | %.1f %% | %.1f %% | %.1f |\n",
			100*w.noise, 100*w.badLuck, 100*w.busy, 100*low/n, at(0.05), at(0.5), at(0.95), 100*high/n, 100*invalid/n, float64(played)/n)
		if w.badLuck <= 0.02 && w.noise < 0.1 {
			assert.LessOrEqual(t, low/n, 0.02, "%+v", w)
			assert.LessOrEqual(t, high/n, 0.02, "%+v", w)
		}
		assert.InDelta(t, 1, at(0.5), 0.08, "%+v", w)
	}
	t.Log("\n" + table.String())
}
