package emodel

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestMOSFollowsTheEModel(t *testing.T) {
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
			assert.InDelta(t, c.score, opinion(c.rating), 0.01)
		})
	}
}

func TestMOSIsImpairedByDelayBeyond100Milliseconds(t *testing.T) {
	assert.Zero(t, delayed(100*time.Millisecond))
	assert.InDelta(t, 3.0, delayed(200*time.Millisecond), 0.2, "G.107 figure: about 3 at 200 ms")
	assert.Greater(t, delayed(400*time.Millisecond), 20.0)
}
