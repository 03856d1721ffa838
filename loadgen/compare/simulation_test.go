package compare

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

var trials = flag.Int("trials", 60, "how many comparisons a row of the simulation has")

// A world is what runs are drawn from: figures that share half of their noise.
type world struct {
	noise  float64   // standard deviation of a figure from run to run, as a share
	tail   float64   // share of runs that the machine disturbs, which are half as bad again
	change []float64 // by what share each figure of the new side is worse
}

// six figures, of which the first is changed.
func six(first, others float64) []float64 {
	return []float64{first, others, others, others, others, others}
}

// draw plays n runs a side.
func (w world) draw(random *rand.Rand, n int) (all []statistic) {
	logs := make([][]float64, len(w.change))
	for run := range 2 * n {
		shared, disturbed := random.NormFloat64(), random.Float64() < w.tail
		for k, change := range w.change {
			v := w.noise * math.Sqrt(0.5) * (shared + random.NormFloat64())
			if disturbed {
				v += math.Log(1.5)
			}
			if run >= n {
				v += math.Log(1 + change)
			}
			logs[k] = append(logs[k], v)
		}
	}
	for _, l := range logs {
		all = append(all, means{l})
	}
	return all
}

// simulate returns the shares of comparisons that call the new side worse, and within.
func (w world) simulate(n int, limit float64) (worse, within float64) {
	random := rand.New(rand.NewPCG(uint64(n), 7))
	l := labelings(n, n, nil)
	limits := make([]float64, len(w.change))
	for k := range limits {
		limits[k] = math.Log(1 + limit)
	}
	for range *trials {
		t := newTest(w.draw(random, n), limits, l)
		anyWorse, allWithin := false, true
		for k := range w.change {
			isWorse, isWithin := t.outcome(k)
			anyWorse, allWithin = anyWorse || isWorse, allWithin && isWithin
		}
		if anyWorse {
			worse++
		} else if allWithin {
			within++
		}
	}
	return worse / float64(*trials), within / float64(*trials)
}

// The chance that any of six unchanged figures is called worse stays under 5 %, and
// where all of them are worse by exactly the limit, which is the hardest case, at 5 %.
// The table of docs/statistics.md is from
//
//	go test ./loadgen/compare -run TestSimulation -v -trials 2000
func TestSimulationOfFalseAlarmsAndPower(t *testing.T) {
	const limit = 0.05
	atMost := 0.05 + 3*math.Sqrt(0.05*0.95/float64(*trials)) // three standard errors of the simulation
	var table strings.Builder
	fmt.Fprintf(&table, "six figures, limit 5 %%, %d comparisons a row\n", *trials)
	fmt.Fprintf(&table, "| noise | runs a side | false alarms: no change | false alarms: all worse by 5 %% | no change: within | one worse by 20 %%: found | one worse by 50 %%: found |\n|---|---|---|---|---|---|---|\n")
	for _, noise := range []struct {
		name        string
		noise, tail float64
	}{{"2 %", 0.02, 0}, {"5 %", 0.05, 0}, {"10 %", 0.1, 0}, {"5 %, and one run in ten disturbed", 0.05, 0.1}} {
		for _, n := range []int{3, 5, 10} {
			at := func(change []float64) (worse, within float64) {
				return world{noise.noise, noise.tail, change}.simulate(n, limit)
			}
			falseAlarms, within := at(six(0, 0))
			hardest, wronglyWithin := at(six(limit, limit))
			found20, missed20 := at(six(0.2, 0))
			found50, missed50 := at(six(0.5, 0))
			assert.Less(t, falseAlarms, 0.05, "%s, %d runs a side", noise.name, n)
			assert.LessOrEqual(t, hardest, atMost, "%s, %d runs a side", noise.name, n)
			for _, wrong := range []float64{wronglyWithin, missed20, missed50} {
				assert.LessOrEqual(t, wrong, atMost, "called within the limit, %s, %d runs a side", noise.name, n)
			}
			fmt.Fprintf(&table, "| %s | %d | %.1f %% | %.1f %% | %.0f %% | %.0f %% | %.0f %% |\n", noise.name, n, 100*falseAlarms, 100*hardest, 100*within, 100*found20, 100*found50)
		}
	}
	t.Log("\n" + table.String())
}

func TestLabelingsBeginWithTheRealOne(t *testing.T) {
	for _, c := range []struct {
		name      string
		base, now int
		pairs     [][2]int
		want      int
	}{
		{"all of three and three", 3, 3, nil, 20},
		{"all of two and five", 2, 5, nil, 21},
		{"some of ten and ten", 10, 10, nil, maxLabelings},
		{"all of five pairs", 5, 5, [][2]int{{0, 5}, {1, 6}, {2, 7}, {3, 8}, {4, 9}}, 32},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := labelings(c.base, c.now, c.pairs)
			assert.Len(t, all, c.want)
			for i, l := range all {
				news := 0
				for run, isNew := range l {
					if isNew {
						news++
					}
					if i == 0 {
						assert.Equal(t, run >= c.base, isNew)
					}
				}
				assert.Equal(t, c.now, news)
			}
		})
	}
}
