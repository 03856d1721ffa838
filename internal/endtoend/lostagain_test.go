package endtoend_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/earshot"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// lostAgain is a tap that ends each connection that resumed a session, once: with the next request over it.
type lostAgain struct {
	ignoring
	resumes *atomic.Int32 // of all connections
	most    int32         // connections that end
	ends    bool
}

func (l *lostAgain) fromClient(m message) (answer any, pass, open bool) {
	if l.ends && m.Type == wire.TypeRaiseHand {
		return nil, false, false
	}
	if m.Type == wire.TypeResume {
		l.ends = l.resumes.Add(1) <= l.most
	}
	return nil, true, true
}

// TestConnectionLostAfterReconnectIsResumed: people of a cluster come back when the connection is lost by which the timeline
// had them reconnect.
func TestConnectionLostAfterReconnectIsResumed(t *testing.T) {
	t.Parallel()
	const listeners = 4
	s := written(t, `
name: lost twice
room: {capacity: 20, slots: 2}
cast:
  - {role: speaker, count: 1, audio: audio/guest.ogg}
  - {role: listener, count: 4, node: 1, arrive: {within: 200ms}}
timeline:
  - {at: 500ms, who: listener, count: 4, do: reconnect}
  - {at: 1500ms, who: listener, count: 4, do: raise-hand}
hold: 6s
thresholds: {joined: rate == 1}
`)
	for name, play := range map[string]func(t *testing.T, drive func() driver.Driver) (*loadgen.Result, error){
		"one process": func(t *testing.T, drive func() driver.Driver) (*loadgen.Result, error) {
			return loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: drive()})
		},
		"workers": func(t *testing.T, drive func() driver.Driver) (*loadgen.Result, error) {
			return playedByWorkersOf(t, 2, s, drive)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var resumes *atomic.Int32
			r := tried(t, func() (*loadgen.Result, error) {
				resumes = &atomic.Int32{}
				url := proxySignaling(t, startNodes(t, 100)[0].url, func() signalingTap {
					return &lostAgain{resumes: resumes, most: listeners}
				})
				return play(t, func() driver.Driver {
					d, err := earshot.New(url, operatorToken, nil)
					require.NoError(t, err)
					return d
				})
			})
			assert.EqualValues(t, 2*listeners, resumes.Load(), "%v", r.Problems)
			// A connection, and then another with another ear.
			assert.EqualValues(t, 3*listeners, trendOf(t, r.Values, "reconnect_duration").Count())
		})
	}
}
