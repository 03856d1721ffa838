package browser_test

import (
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// preferRED makes what the page's connections offer prefer redundant audio (RFC 2198), which
// Chromium offers after Opus by itself.
const preferRED = `
{
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (what, init) {
    const added = add.call(this, what, init);
    const all = (init.direction === 'recvonly' ? RTCRtpReceiver : RTCRtpSender).getCapabilities('audio').codecs;
    const red = (codec) => codec.mimeType === 'audio/red';
    added.setCodecPreferences([...all.filter(red), ...all.filter((codec) => !red(codec))]);
    return added;
  };
}
`

// TestChromiumWithRedundantAudio: Ada's page sends redundant audio, Bo's takes it, and Cy's does
// not. Both hear what she says.
func TestChromiumWithRedundantAudio(t *testing.T) {
	t.Parallel()
	c, s := sharedChromium(t), serve(t, "--open")
	prefersRED := func(p *person) *person {
		_, err := chromedp.Call(p.tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: preferRED})
		require.NoError(t, err)
		return p
	}
	said := envelopeOf(clip(t, "speech.ogg"))
	ada, bo, cy := prefersRED(c.person("Ada")), prefersRED(c.person("Bo")), c.person("Cy")
	ada.opensRoom(s.url, "Redundant")
	ada.click("Turn your microphone on")
	for _, p := range []*person{bo, cy} {
		p.follows(s.url+"/#/r/redundant", "Listen in")
		p.hears(said)
	}
	const answered = `connections.some((c) => /m=audio 9 \S+ 63 111/.test(c.remoteDescription?.sdp))`
	assert.True(t, eval[bool](ada, answered))
	assert.True(t, eval[bool](bo, answered))
	assert.False(t, eval[bool](cy, answered))
	// A copy makes a packet about twice as long.
	const size = `ear().getStats().then((all) => {
		const streams = [...all.values()].filter((s) => s.type === 'inbound-rtp');
		const sum = (field) => streams.reduce((n, s) => n + s[field], 0);
		return sum('bytesReceived') / sum('packetsReceived');
	})`
	assert.Greater(t, eval[float64](bo, size), 1.5*eval[float64](cy, size))
}
