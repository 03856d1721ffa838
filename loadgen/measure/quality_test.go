package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheScoreFollowsTheEModel(t *testing.T) {
	for _, c := range []struct {
		name   string
		rating float64
		score  float64
	}{
		{"G.107's default rating of 93.2 is 4.41", 93.2, 4.41},
		{"a rating of 80 is 4.03 (G.107, table B.1: 4.03)", 80, 4.03},
		{"a rating of 50 is 2.58 (G.107, table B.1: 2.58)", 50, 2.58},
		{"no rating is 1", 0, 1},
		{"beyond the best is 4.5", 101, 4.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.InDelta(t, c.score, score(c.rating), 0.01)
		})
	}
}

func TestDelayImpairsOnlyBeyond100Milliseconds(t *testing.T) {
	assert.Zero(t, delayed(100*time.Millisecond))
	assert.InDelta(t, 3.0, delayed(200*time.Millisecond), 0.2, "G.107 figure: about 3 at 200 ms")
	assert.Greater(t, delayed(400*time.Millisecond), 20.0)
}

func TestLossAndDelayLowerTheScore(t *testing.T) {
	clear := account{passes: 1000, total: 1000, latencySum: 5 * time.Second, latencies: 1000}
	lossy := clear
	lossy.passes = 950
	late := clear
	late.latencySum = 400 * time.Second
	assert.InDelta(t, 4.41, clear.mos(), 0.01)
	assert.InDelta(t, 3.9, lossy.mos(), 0.4)
	assert.Less(t, late.mos(), 3.5)
}
