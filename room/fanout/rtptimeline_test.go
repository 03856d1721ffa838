package fanout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTimelineKeepsTheStepsOfAHold(t *testing.T) {
	at := func(frames int) time.Time { return time.Unix(100, 0).Add(time.Duration(frames) * frameDuration) }
	type step struct {
		name    string
		seq     uint16
		ts      uint32
		when    int
		wantSeq int // -1: dropped
		wantTS  uint32
	}
	steps := []step{
		{"the first packet begins the run", 65534, 1000, 0, 0, 0},
		{"the next follows across the source's wrap", 65535, 1960, 1, 1, 960},
		{"a lost packet leaves a gap", 1, 3880, 3, 3, 2880},
		{"the lost one still finds its place when it comes late", 0, 2920, 3, 2, 1920},
		{"but only once", 0, 2920, 3, -1, 0},
		{"a repeated packet is dropped", 1, 3880, 3, -1, 0},
		{"one from before the hold is dropped", 65533, 40, 3, -1, 0},
		{"a pause without packets (DTX) moves time only", 2, 3880 + 20*960, 23, 4, 2880 + 20*960},
		{"a source that jumps far ahead goes on without a gap", 40000, 77, 24, 5, 2880 + 21*960},
		{"a source that jumps far back goes on without a gap", 9, 5, 25, 6, 2880 + 22*960},
		{"a timestamp that runs backwards goes on without a gap", 10, 4, 26, 7, 2880 + 23*960},
		{"a timestamp that runs away goes on without a gap", 11, 4 + 60*48000, 27, 8, 2880 + 24*960},
	}
	var line rtpTimeline
	for _, s := range steps {
		p, ok := line.next(s.seq, s.ts, at(s.when))
		require.Equal(t, s.wantSeq >= 0, ok, s.name)
		if ok {
			assert.Equal(t, s.wantSeq, int(p.seq), s.name)
			assert.Equal(t, int(s.wantTS), int(p.ts-0), s.name)
		}
	}
}

func TestTimelineGoesOnUnbrokenAfterAnInterruption(t *testing.T) {
	start := time.Unix(100, 0)
	var line rtpTimeline
	first, _ := line.next(500, 9000, start)
	line.interrupt()
	second, ok := line.next(7, 123456, start.Add(1*time.Second+3*time.Millisecond))
	require.True(t, ok)
	assert.True(t, first.first && second.first)
	assert.Equal(t, first.seq+1, second.seq)
	assert.Equal(t, uint32(48000), second.ts-first.ts, "as many ticks as time passed, in whole frames")
	line.interrupt()
	third, _ := line.next(7, 123456, start.Add(1*time.Second+3*time.Millisecond))
	assert.Equal(t, second.seq+1, third.seq)
	assert.Equal(t, uint32(frameTicks), third.ts-second.ts, "a frame at least")
}

// Whatever comes in, no number is given out twice while it could be mistaken,
// and the run never leaps.
func TestTimelineRepeatsNoSequenceNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var line rtpTimeline
		now := time.Unix(100, 0)
		seq, ts := rapid.Uint16().Draw(t, "seq"), rapid.Uint32().Draw(t, "ts")
		var high int64 = -1
		given := map[int64]bool{}
		for range rapid.IntRange(1, 300).Draw(t, "packets") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				line.interrupt()
			case 1:
				seq, ts = rapid.Uint16().Draw(t, "seq"), rapid.Uint32().Draw(t, "ts")
			case 2, 3:
				back := rapid.IntRange(-80, 80).Draw(t, "back")
				seq, ts = seq+uint16(back), ts+uint32(back*frameTicks)
			default:
				seq, ts = seq+1, ts+frameTicks
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "ms")) * time.Millisecond)
			p, ok := line.next(seq, ts, now)
			if !ok {
				continue
			}
			at := high + int64(int16(p.seq-uint16(high)))
			if high < 0 {
				at = int64(p.seq)
			}
			if given[at] {
				t.Fatalf("number %d given twice", at)
			}
			given[at] = true
			if at > high+dropout {
				t.Fatalf("leapt from %d to %d", high, at)
			}
			if p.first && high >= 0 && at != high+1 {
				t.Fatalf("a hold began at %d after %d", at, high)
			}
			high = max(high, at)
		}
	})
}
