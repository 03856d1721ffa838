package cast

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/speech"
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

// A mic is offered as one with DTX if it is to send nothing at times, and each person's own way.
func TestMicsOfferDTXAsTheyWillSend(t *testing.T) {
	clip := func(packets ...[]byte) *speech.Clip {
		c, err := speech.NewClip("x", packets)
		require.NoError(t, err)
		return c
	}
	sound := []byte{0x78, 1, 2}
	going, paused := clip(sound, sound), clip(sound, []byte{0x78}, []byte{0x78})
	for name, c := range map[string]struct {
		clips  []*speech.Clip // of the person's group
		number int
		turns  *scenario.Turns
		check  scenario.AudioCheck
		want   bool
	}{
		"a recording without pauses":                {clips: []*speech.Clip{going}},
		"one with pauses":                           {clips: []*speech.Clip{paused}, want: true},
		"the first of two who say different things": {clips: []*speech.Clip{going, paused}},
		"the second of them":                        {clips: []*speech.Clip{going, paused}, number: 1, want: true},
		"a promoted listener, by the cast's first":  {want: true},
		"who takes turns":                           {clips: []*speech.Clip{going}, turns: &scenario.Turns{Overlap: 2}, want: true},
		"turns in which all talk":                   {clips: []*speech.Clip{going}, turns: &scenario.Turns{Overlap: 3}},
		"what is encoded anew":                      {clips: []*speech.Clip{paused}, check: scenario.CheckMarker},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scenario.Scenario{Cast: []scenario.Group{{Count: 3, Turns: c.turns}}, AudioCheck: c.check}
			all := &Cast{Setting: Setting{Scenario: s}, clips: [][]*speech.Clip{c.clips}, allClips: []*speech.Clip{paused, going}}
			p := &person{room: &roomRun{cast: all}, number: c.number}
			assert.Equal(t, c.want, p.discontinuous())
		})
	}
}
