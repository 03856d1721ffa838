package whep

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

func TestTemplatesStandForRoomsAndPeople(t *testing.T) {
	for _, c := range []struct {
		sentence   string
		whip, whep string
		refused    string
	}{
		{"a room", "http://a/{room}/whip", "http://a/{room}/whep", ""},
		{"people", "http://a/{room}-{speaker}/whip", "http://a/{room}/whep?name={listener}", ""},
		{"nobody listens", "http://a/{speaker}", "", ""},
		{"nobody publishes", "", "http://a/whep", "needs --whip-url"},
		{"to listen to a speaker", "http://a/{speaker}", "http://a/{speaker}", "--whep-url: a listener hears one URL"},
		{"to publish as a listener", "http://a/{listener}", "http://a/", "--whip-url: {listener} is for those who listen"},
		{"no URL", "http://a/", "{listener}", "--whep-url"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			_, err := New(c.whip, c.whep, "", nil)
			if c.refused != "" {
				require.ErrorContains(t, err, c.refused)
				return
			}
			require.NoError(t, err)
		})
	}
}

func TestPeopleHaveNamesInURLs(t *testing.T) {
	d, err := New("http://a/{room}-{speaker}/whip", "http://a/{room}/whep?name={listener}", "", nil)
	require.NoError(t, err)
	p, err := (&roomClient{driver: d, name: "earshot-1"}).Join(t.Context(), "speaker 1.3", scenario.Speaker)
	require.NoError(t, err)
	v := p.(*participant)
	assert.Equal(t, "http://a/earshot-1-speaker-1-3/whip", expandURL(d.whip, v.room.name, v.name))
	assert.Equal(t, "http://a/earshot-1/whep?name=speaker-1-3", expandURL(d.whep, v.room.name, v.name))
	assert.Equal(t, "secret of earshot-1", expand("secret of {room}", v.room.name, v.name))
}
