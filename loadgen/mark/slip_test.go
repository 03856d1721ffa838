package mark

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// silent is what a server plays instead of a frame.
const silent = -1

// inserted is that a server puts in so many silent frames after so many others.
func inserted(after, frames int) func(i int) int {
	return func(i int) int {
		switch {
		case i < after:
			return i
		case i < after+frames:
			return silent
		}
		return i - frames
	}
}

// A server that mixes has a buffer for each speaker. When that runs empty, it puts in a frame of
// silence, and when it is too full, it leaves some out: all that comes later is later or earlier than
// before by as much.
func TestMarkIsFoundThoughTheServersBufferSlips(t *testing.T) {
	t.Parallel()
	always := func(int) bool { return true }
	for _, c := range []struct {
		sentence string
		plays    func(i int) int // which frame, or silent, the server plays after i others
		sends    func(i int) bool
	}{
		{"it never slips", func(i int) int { return i }, always},
		{"it puts in a frame of silence", inserted(150, 1), always},
		{"it puts in a frame of silence now and then", func(i int) int {
			if i%60 == 59 {
				return silent
			}
			return i - i/60
		}, always},
		{"it leaves out six frames", func(i int) int { return i + 6*min(i/150, 1) }, always},
		{"it plays none of twenty frames, and then goes on as before", func(i int) int {
			if i >= 150 && i < 170 {
				return silent
			}
			return i
		}, always},
		{"its buffer is longer after a turn of the speaker's than before", func(i int) int {
			if i < 250 {
				return inserted(100, 150)(i)
			}
			return i - 5
		}, func(i int) bool { return i < 100 || i >= 240 }},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			missing, wrong := slipping(t, c.plays, c.sends)
			assert.LessOrEqual(t, missing, 5, "it is known what was played")
			assert.LessOrEqual(t, wrong, 2, "and nothing else is found")
		})
	}
}

// slipping has a detector listen to a server, and returns how many of the frames that it plays are
// missing, and how many were found that it does not play.
func slipping(t *testing.T, plays func(i int) int, sends func(i int) bool) (missing, wrong int) {
	t.Helper()
	clip, m := one(t, clipOne), newMixer(t, 1, 24_000)
	played, found := map[int]bool{}, map[int]Presence{}
	d, err := NewDetector(func(f Finding) { found[f.Frame] = max(found[f.Frame], f.Presence) })
	require.NoError(t, err)
	d.Codes([]*Code{codeOne()})
	for i := range 400 {
		frame, packet := plays(i), []byte{0xf8, 0xff, 0xfe}
		if frame != silent {
			played[frame] = true
			packet = m.mix(clip.Frames[frame].Payload)
		}
		require.NoError(t, d.Packet(packet, func(int) (int, bool) { return (i + 3) * Hop, sends(i) }))
	}
	for frame := range played {
		if found[frame] == Absent {
			missing++
		}
	}
	for frame, is := range found {
		if is == Present && !played[frame] {
			wrong++
		}
	}
	return missing, wrong
}
