package rtc

import (
	"context"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMicThatWaitsForTheHello has a publisher that offers a=setup:passive, as FFmpeg's WHIP
// muxer does: the server begins DTLS, and the publisher is heard.
func TestMicThatWaitsForTheHello(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 1)
		l := openEar(t, r, 1, 0)
		l.waitConnected()
		s := &speaker{client: newClient(t, withLevel)}
		track, err := webrtc.NewTrackLocalStaticRTP(opusCodec().RTPCodecCapability, "audio", "mic")
		require.NoError(t, err)
		s.track = track
		_, err = s.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		require.NoError(t, err)
		mic, err := r.OpenMic(context.Background(), 1, strings.ReplaceAll(s.offer(), "a=setup:actpass", "a=setup:passive"))
		require.NoError(t, err)
		assert.Contains(t, mic.Answer(), "a=setup:active")
		s.accept(mic.Answer())
		s.waitConnected()
		eventually(t, func() bool { return mic.Stats().Connected }, "the server is connected, too")
		s.say([]byte("speech"), 30)
		eventually(t, func() bool { return l.heard([]string{"speech"}) }, "the listener hears")
		require.NoError(t, mic.Close())
	})
}
