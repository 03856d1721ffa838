package scoreboard

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/janus"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// What a server that mixes sends is no packet of any speaker's. A run that looked for those would find that
// nothing was delivered, whatever the server does.
func TestServerThatMixesIsPlayedWithMarkedAudioAlone(t *testing.T) {
	d, err := janus.New("ws://127.0.0.1:1", "", "", nil)
	require.NoError(t, err)
	for _, c := range []struct {
		sentence string
		change   func(*scenario.Scenario)
		says     string // "" is that it can be played
	}{
		{"a scenario that looks at packets is refused", func(*scenario.Scenario) {}, "set audio_check: marker in the scenario"},
		{"one with marked audio is played", func(s *scenario.Scenario) { s.AudioCheck = scenario.CheckMarker }, ""},
		{"one without listeners has nothing to look at", func(s *scenario.Scenario) { s.Cast = s.Cast[:1] }, ""},
		{"nobody gets two mixes", func(s *scenario.Scenario) {
			s.AudioCheck, s.Cast[1].Sections = scenario.CheckMarker, 2
		}, "a group has sections: 2"},
		{"a stage is not a mixer's", func(s *scenario.Scenario) {
			s.AudioCheck, s.Timeline = scenario.CheckMarker, []scenario.Event{{Who: scenario.Listener, Do: scenario.Promote, Count: 1}}
		}, "the janus driver can only mute, unmute, kick, end, ice-restart, leave"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := &scenario.Scenario{Rooms: 1, Room: scenario.RoomSpec{Slots: 3}, Cast: []scenario.Group{
				{Role: scenario.Speaker, Count: 1, Audio: []string{"speech.ogg"}}, {Role: scenario.Listener, Count: 5},
			}}
			c.change(s)
			err := Supports(d, s)
			if c.says == "" {
				assert.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, driver.ErrUnsupported)
			assert.ErrorContains(t, err, c.says)
		})
	}
}
