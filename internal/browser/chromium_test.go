package browser_test

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/chromium"
)

// A crew is a browser process with a microphone that plays one voice over and
// over. Its people share nothing: each has a browser context of their own.
type crew struct {
	t   *testing.T
	ctx context.Context
}

// startChromium starts a browser. A page may use the microphone without asking
// the person, but plays nothing before a tap, as any browser.
func startChromium(t *testing.T, voice string, options ...chromium.Option) *crew {
	t.Helper()
	all := append(chromium.Microphone(wave(t, t.TempDir(), voice)), chromedp.Flag("autoplay-policy", "user-gesture-required"))
	return &crew{t, chromium.Start(t, append(all, options...)...)}
}

// prelude runs before the page's own script. It keeps the page's connections
// within reach, for the test to measure what comes in.
const prelude = `
(() => {
  const Native = RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = class extends Native {
    constructor(...args) { super(...args); window.connections.push(this); }
    close() { if (!window.stubborn) super.close(); }
  };
})();
// ear is the connection that one listens by.
function ear() {
  return connections.findLast((c) => c.signalingState !== 'closed' && c.getTransceivers().some((t) => t.direction === 'recvonly'));
}
// record measures what plays: for each section the loudness of each 20 ms.
async function record(ms) {
  if (!ear()) return [];
  const context = new AudioContext({sampleRate: 48000});
  await context.resume();
  const taps = ear().getReceivers().map(({track}) => {
    const loudness = [], rest = [];
    const tap = context.createScriptProcessor(16384, 1, 1);
    tap.onaudioprocess = ({inputBuffer}) => {
      rest.push(...inputBuffer.getChannelData(0));
      while (rest.length >= 960) loudness.push(Math.sqrt(rest.splice(0, 960).reduce((n, x) => n + x * x, 0) / 960));
    };
    context.createMediaStreamSource(new MediaStream([track])).connect(tap).connect(context.destination);
    return loudness;
  });
  await new Promise((resolve) => setTimeout(resolve, ms));
  await context.close();
  return taps;
}
// inbound is what the ear's sections have received so far.
async function inbound() {
  const all = [...(await ear().getStats()).values()].filter((s) => s.type === 'inbound-rtp');
  const sum = (field) => all.reduce((n, s) => n + (s[field] ?? 0), 0);
  return {packets: sum('packetsReceived'), lost: sum('packetsLost'), nacks: sum('nackCount'), concealed: sum('concealedSamples'),
    silent: sum('silentConcealedSamples'), samples: sum('totalSamplesReceived'), energy: sum('totalAudioEnergy')};
}
`

// person opens a tab that shares nothing with others.
func (c *crew) person(name string) *person {
	c.t.Helper()
	tab, cancel := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext())
	return c.with(name, tab, cancel)
}

// tab opens another tab of the same person: it shares what the browser keeps.
func (c *crew) tab(of *person) *person {
	c.t.Helper()
	tab, cancel := chromedp.NewContext(of.tab)
	return c.with(of.name+"’s second tab", tab, cancel)
}

func (c *crew) with(name string, tab context.Context, cancel func()) *person {
	c.t.Helper()
	p := &person{t: c.t, name: name, tab: tab}
	_, err := chromedp.Call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: prelude})
	require.NoError(c.t, err)
	watched := p.watchConsole()
	c.t.Cleanup(func() {
		cancel()
		<-watched
	})
	return p
}
