package testaudio_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testaudio"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

func TestWriteShortKeepsTheBeginningOfEachVoice(t *testing.T) {
	dir := t.TempDir()
	testaudio.WriteShort(t, dir)
	for _, voice := range []string{"guest.ogg", "host.ogg", "reader.ogg", "speech.ogg"} {
		short, err := speech.Load(filepath.Join(dir, voice))
		require.NoError(t, err)
		assert.LessOrEqual(t, short.Duration(), testaudio.ShortDuration)
		assert.Greater(t, short.Duration(), testaudio.ShortDuration/2)
		if voice == "speech.ogg" {
			long := testaudio.Clip(t, voice)
			for i, frame := range short.Frames {
				require.Equal(t, long.Frames[i].Payload, frame.Payload, "frame %d", i)
			}
		}
	}
}
