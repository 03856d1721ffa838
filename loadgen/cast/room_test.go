package cast

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// TestMicsWithOneClipSayDifferentThings holds that no two of eight mics that have the same clip
// of a minute say the same within the time in which a packet may come.
func TestMicsWithOneClipSayDifferentThings(t *testing.T) {
	const frames, late = 60 * 50, int(record.Lateness / timebase.BinLength)
	for seed := range int64(200) {
		for i := range 8 {
			a := firstFrame(seed, int(seed%3), i, frames)
			assert.GreaterOrEqual(t, a, 0)
			assert.Less(t, a, frames)
			for j := range i {
				b := firstFrame(seed, int(seed%3), j, frames)
				apart := (a - b + frames) % frames
				assert.Greater(t, min(apart, frames-apart), late, "seed %d: mics %d and %d", seed, i, j)
			}
		}
	}
	assert.NotEqual(t, firstFrame(1, 0, 0, frames), firstFrame(2, 0, 0, frames), "the seed matters")
	assert.NotEqual(t, firstFrame(1, 0, 0, frames), firstFrame(1, 1, 0, frames), "so does the room")
}
