package browser_test

import (
	"context"
	"os/exec"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A chromium is a browser process with a microphone that plays one voice over
// and over. Its people share nothing: each has a browser context of their own.
type chromium struct {
	t   *testing.T
	ctx context.Context
}

// startChromium starts a browser. A page may use the microphone without asking
// the person, but plays nothing before a tap, as any browser.
func startChromium(t *testing.T, voice string, options ...chromedp.ExecAllocatorOption) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		path, err = exec.LookPath("google-chrome")
	}
	require.NoError(t, err, "Chromium is missing: make tools installs it")
	options = append(append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-audio-capture", wave(t, t.TempDir(), voice)),
		chromedp.Flag("allow-loopback-in-peer-connection", true),
		chromedp.Flag("autoplay-policy", "user-gesture-required"),
		chromedp.Flag("mute-audio", false),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	), options...)
	allocator, cancelBrowser := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancelTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		assert.NoError(t, chromedp.Cancel(ctx))
		cancelTab()
		cancelBrowser()
	})
	require.NoError(t, chromedp.Do(ctx))
	return &chromium{t, ctx}
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
func (c *chromium) person(name string) *person {
	c.t.Helper()
	tab, cancel := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext())
	return c.with(name, tab, cancel)
}

// tab opens another tab of the same person: it shares what the browser keeps.
func (c *chromium) tab(of *person) *person {
	c.t.Helper()
	tab, cancel := chromedp.NewContext(of.tab)
	return c.with(of.name+"’s second tab", tab, cancel)
}

func (c *chromium) with(name string, tab context.Context, cancel func()) *person {
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
