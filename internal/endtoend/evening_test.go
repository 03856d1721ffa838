package endtoend_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

func trendOf(t *testing.T, values metric.Values, name string) *metric.Trend {
	t.Helper()
	trend, ok := values[name].(*metric.Trend)
	require.True(t, ok, "no %s", name)
	return trend
}

// What the timeline can have people do is done on the server, and measured: the
// promoted are heard, the silenced are silent, and nobody else loses anything.
func TestTimelineOfClubEveningIsPlayedAndMeasured(t *testing.T) {
	t.Parallel()
	url := serve(t)
	r := played(t, native(t, url), `
name: an evening
room: {capacity: 6, halls: 2, slots: 8}
cast:
  - {role: host, count: 1, audio: audio/host.ogg}
  - {role: speaker, count: 1, audio: audio/guest.ogg}
  - {role: listener, count: 10, arrive: {within: 500ms}}
timeline:
  - {at: 500ms, count: 2, do: invite-guest}
  - {at: 500ms, who: listener, count: 2, do: invite-to-stage}
  - {at: 1s, who: listener, count: 1, do: accept-stage}
  - {at: 1500ms, who: listener, count: 1, do: decline-stage}
  - {at: 2s, who: listener, count: 3, do: reconnect}
  - {at: 3s, who: speaker, count: 1, do: mute}
  - {at: 5s, who: speaker, count: 1, do: kick}
  - {at: 5s, who: listener, count: 1, do: ban}
  - {at: 8s, who: listener, count: 1, do: pass-host}
  - {at: 9s, who: listener, count: 1, do: promote}
  - {at: 11s, do: end}
hold: 12s
thresholds: {delivered: rate == 1}
`)
	assert.Empty(t, r.Problems)
	assert.Equal(t, metric.Rate{Passes: 10, Total: 10}, rateOf(t, r, "joined"), "those in the overflow hall, too")
	promoted := trendOf(t, r.Values, "promote_duration")
	assert.EqualValues(t, 3, promoted.Count(), "one accepted, one became host, one was promoted")
	for name, count := range map[string]int{"mute_silence": 1, "kick_silence": 2} {
		silence := trendOf(t, r.Values, name)
		assert.EqualValues(t, count, silence.Count(), name)
		assert.LessOrEqual(t, silence.Summary().Max, float64(mostAfter), name)
	}
	assert.Equal(t, metric.Counter(2), r.Values["no_shows"])
}
