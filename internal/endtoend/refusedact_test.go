package endtoend_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/calm"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// A way in which a server does not do what a moderator asks for.
type neglect string

const (
	refuses neglect = "refuses it"
	ignores neglect = "does not answer"
	hangsUp neglect = "hangs up"
)

// neglectful is a server that neglects what moderators ask for, and is sound otherwise: the
// real one behind a proxy of its signaling.
func neglectful(t *testing.T, how neglect) string {
	t.Helper()
	return proxySignaling(t, serve(t), func() signalingTap { return &neglecting{how: how} })
}

// neglecting is a connection of a moderator who is neglected.
type neglecting struct {
	ignoring
	how neglect
}

func (n *neglecting) fromClient(m message) (answer any, pass, open bool) {
	if !slices.Contains([]wire.Type{wire.TypeMute, wire.TypePromote, wire.TypeDemote, wire.TypeRemove}, m.Type) {
		return nil, true, true
	}
	switch n.how {
	case refuses:
		return map[string]any{"type": "error", "id": m.ID, "code": wire.CodeInternal, "message": "the server has failed"}, false, true
	case hangsUp:
		return nil, false, false
	}
	return nil, false, true
}

// A server that does not do what the timeline asks for is at fault where a threshold asks
// for it, and in any case if it does not even answer.
func TestServerThatNeglectsModeratorsIsAtFault(t *testing.T) {
	const cast = `
name: neglected
cast:
  - {role: host, count: 1, audio: audio/host.ogg}
  - {role: speaker, count: 3, audio: audio/guest.ogg}
  - {role: listener, count: 3, arrive: {within: 200ms}}
timeline:
  - {at: 500ms, who: speaker, count: 1, do: mute}
  - {at: 700ms, who: speaker, count: 1, do: demote}
  - {at: 900ms, who: listener, count: 1, do: kick}
  - {at: 1100ms, who: listener, count: 1, do: promote}
`
	asks := map[string]string{
		"mute_silence":     `  mute_silence: ["max <= 5"]`,
		"kick_silence":     `  kick_silence: ["max <= 5"]`,
		"promote_duration": `  promote_duration: ["max < 5s"]`,
	}
	for _, c := range []struct {
		how       neglect
		hold      time.Duration
		unasked   report.Verdict // where no threshold asks for it
		otherwise string         // the reason then
	}{
		{refuses, 4 * time.Second, report.Invalid, "the timeline could not be played as written"},
		{hangsUp, 4 * time.Second, report.Invalid, "the timeline could not be played as written"},
		{ignores, 13 * time.Second, report.Fail, "what the timeline asked for was not answered"},
	} {
		t.Run("a server that "+string(c.how), func(t *testing.T) {
			t.Parallel()
			s := written(t, fmt.Sprintf("%shold: %v\nthresholds:\n  joined: [\"rate == 1\"]\n%s\n", cast, c.hold,
				strings.Join([]string{asks["mute_silence"], asks["kick_silence"], asks["promote_duration"]}, "\n")))
			var result *loadgen.Result
			var judged *report.Report
			busy := false
			calm.Play(3, func() bool {
				var err error
				result, err = loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: native(t, neglectful(t, c.how))})
				require.NoError(t, err)
				judged = report.Judge(result, s.Thresholds)
				d := result.Doubts
				busy = d.Stalls > 0 || d.Contended > 0 || d.Stolen > 0
				if c.how == refuses { // which is in doubt only where the server may have taken people for gone
					busy = d.Stalled+d.Contended >= doubt.LongStop
				}
				return busy && judged.Verdict != report.Fail
			})
			decided, unasked := []report.Verdict{report.Fail}, []report.Verdict{c.unasked}
			if busy || c.how == hangsUp {
				// It may have been the generator's doing.
				decided, unasked = append(decided, report.Invalid), append(unasked, report.Invalid)
			}
			assert.Contains(t, decided, judged.Verdict, "%v %v", judged.Reasons, result.Problems)
			for _, j := range judged.Thresholds {
				if _, asked := asks[j.Metric]; asked && !(j.Undecided && len(decided) > 1) && assert.NotNil(t, j.OK, "%s: %s", j.Metric, j.Reason) {
					assert.False(t, *j.OK, "%s: %v", j.Metric, j.Value)
				}
			}
			plain := report.Judge(result, s.Thresholds[:1])
			assert.Contains(t, unasked, plain.Verdict, "%v", plain.Reasons)
			if plain.Verdict == c.unasked {
				assert.Contains(t, strings.Join(plain.Reasons, "\n"), c.otherwise)
			}
		})
	}
}
