package endtoend_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4/pkg/media/oggwriter"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testaudio"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// TestDTXPausesAreNotLoss: a mic sends nothing in the pauses of a recording with
// discontinuous transmission, but for a frame of comfort noise now and then. Nothing of that
// is lost, concealed or at a wrong time.
func TestDTXPausesAreNotLoss(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writePaused(t, filepath.Join(dir, "paused.ogg"))
	path := filepath.Join(dir, "scenario.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`
name: pauses
cast:
  - {role: speaker, count: 2, audio: paused.ogg}
  - {role: listener, count: 4, arrive: {within: 100ms}}
hold: 4s
`), 0o644))
	s, err := scenario.Load(path)
	require.NoError(t, err)
	r, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: native(t, serve(t))})
	require.NoError(t, err)
	requireComplete(t, r)
	delivered := rateOf(t, r, "delivered")
	assert.Less(t, delivered.Total, uint64(2*4*150), "half of the time there is nothing to send")
	assert.Less(t, r.Values["concealed"].(*metric.Trend).Summary().Max, 25.0, "percent: more than all, if it were of the pauses; a late frame is one of few")
}

// writePaused writes a recording of which half a second of each second is a pause, as libopus
// writes it with DTX: a frame of comfort noise in each 400 ms, and no audio in the others.
func writePaused(t *testing.T, path string) {
	t.Helper()
	file, err := oggwriter.New(path, 48_000, 1)
	require.NoError(t, err)
	for i, f := range testaudio.Clip(t, "speech.ogg").Frames {
		payload := f.Payload
		if at := i % 50; at >= 25 && at != 45 {
			payload = []byte{payload[0] &^ 3}
		}
		require.NoError(t, file.WriteRTP(&rtp.Packet{
			Header: rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i) * 960}, Payload: payload,
		}))
	}
	require.NoError(t, file.Close())
}
