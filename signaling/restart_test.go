package signaling

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// restart restarts ICE of a client of pion/webrtc. exchange takes its fragment to the server
// and returns the server's.
func (p *peer) restart(exchange func(fragment string) string) {
	p.t.Helper()
	before := p.pc.RemoteDescription().SDP
	offer, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	require.NoError(p.t, err)
	require.NoError(p.t, p.pc.SetLocalDescription(offer))
	answer, err := sdp.ParseFragment(exchange(sdp.LastFragment(offer.SDP)))
	require.NoError(p.t, err)
	old, err := sdp.Parse(before)
	require.NoError(p.t, err)
	p.accept(strings.NewReplacer(old.ICE().Ufrag, answer.ICE.Ufrag, old.ICE().Pwd, answer.ICE.Pwd).Replace(before))
}

// TestRestartICETakesNoSecondSeat restarts ICE over each kind of signaling, in a room that
// is full: whoever restarts is heard and hears as before.
func TestRestartICETakesNoSecondSeat(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.Capacity, cfg.Halls = 2, 1 })
	patch := func(at, tag *string) func(string) string {
		return func(fragment string) string {
			request, err := http.NewRequest(http.MethodPatch, h.http.URL+*at, strings.NewReader(fragment))
			require.NoError(t, err)
			request.Header.Set("Content-Type", "application/trickle-ice-sdpfrag")
			request.Header.Set("If-Match", *tag)
			response, err := h.http.Client().Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, response.StatusCode, string(body))
			require.NotEqual(t, *tag, response.Header.Get("ETag"))
			*tag = response.Header.Get("ETag")
			return string(body)
		}
	}
	mic, micAt := h.openSession("/rooms/a/whip", "", wire.MediaMic)
	ear, earAt := h.openSession("/rooms/a/whep", "", wire.MediaEar)
	listener, _ := h.enter("a", wire.RoleListener, "Bo")
	other := listener.openMedia(wire.MediaEar)
	talker := h.liveRoom("a").Info().Stage[0].Talker
	ear.awaitFrame(talker, 0)
	other.awaitFrame(talker, 0)

	tag := "*"
	socket := func(media wire.Media) func(string) string {
		return func(fragment string) string {
			listener.send(wire.RestartICE{Media: media, Fragment: fragment})
			answer := await[wire.ICERestarted](listener)
			assert.Equal(t, media, answer.Media)
			return answer.Fragment
		}
	}
	for range 2 {
		mic.restart(patch(&micAt, &tag))
		tag = "*"
		ear.awaitFrame(talker, mic.sent.Load())
		ear.restart(patch(&earAt, &tag))
		ear.awaitFrame(talker, mic.sent.Load())
		other.restart(socket(wire.MediaEar))
		other.awaitFrame(talker, mic.sent.Load())
		tag = "*"
	}
	assert.Equal(t, 2, h.audience("a"))
	assert.Len(t, h.liveRoom("a").Info().Stage, 1)

	listener.send(wire.RestartICE{Media: wire.MediaMic, Fragment: "a=ice-ufrag:abcd\r\n"})
	assert.Equal(t, wire.CodeConflict, await[wire.Error](listener).Code, "there is no mic")
	listener.send(wire.RestartICE{Media: wire.MediaEar, Fragment: "hello"})
	assert.Equal(t, wire.CodeBadRequest, await[wire.Error](listener).Code)
	other.awaitFrame(talker, mic.sent.Load())
}
