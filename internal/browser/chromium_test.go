package browser_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/chromium"
)

// A testBrowser is a Chromium with a fake microphone. Its people share nothing:
// each has a browser context of their own.
type testBrowser struct {
	t   *testing.T
	ctx context.Context
}

// browserOptions are those of a browser whose microphone plays one voice over and
// over. A page may use the microphone without asking the person, but plays nothing
// before a tap, as in any browser.
func browserOptions(t *testing.T, voice string) []chromium.Option {
	t.Helper()
	return append(chromium.Microphone(wave(t, voice)), chromedp.Flag("autoplay-policy", "user-gesture-required"))
}

// shared is the browser that all tests use, once one has asked for it.
var shared struct {
	sync.Mutex
	browser context.Context
	stop    func() error
}

// sharedChromium is a browser that other tests use as well, at the same time.
func sharedChromium(t *testing.T) *testBrowser {
	t.Helper()
	if testing.Short() {
		t.Skip("it needs a browser")
	}
	// Nothing moves on its pages: drawing is most of what a page costs here. The tests
	// of how pages look have browsers of their own.
	options := append(browserOptions(t, "speech.ogg"), chromedp.Flag("force-prefers-reduced-motion", true))
	shared.Lock()
	defer shared.Unlock()
	if shared.browser == nil {
		ctx, stop, err := chromium.Launch(options...)
		require.NoError(t, err)
		shared.browser, shared.stop = ctx, stop
	}
	return &testBrowser{t, shared.browser}
}

// stopShared stops the shared browser, if there is one.
func stopShared() error {
	if shared.stop == nil {
		return nil
	}
	return shared.stop()
}

// ownChromium is a browser of the test's own, with options of its own.
func ownChromium(t *testing.T, voice string, options ...chromium.Option) *testBrowser {
	t.Helper()
	return &testBrowser{t, chromium.Start(t, append(browserOptions(t, voice), options...)...)}
}

// prelude runs before the page's own script. It keeps the page's connections, wake locks and
// media keys within reach, for the test to measure what comes in, and to press them.
const prelude = `
(() => {
  const Native = RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = class extends Native {
    constructor(...args) { super(...args); window.connections.push(this); }
    close() { if (!window.stubborn) super.close(); }
  };
  window.mediaKeys = {};
  const handle = MediaSession.prototype.setActionHandler;
  MediaSession.prototype.setActionHandler = function (key, act) {
    window.mediaKeys[key] = act;
    handle.call(this, key, act);
  };
  window.locks = [];
  const request = window.WakeLock?.prototype.request;
  if (request) WakeLock.prototype.request = async function (type) {
    const lock = await request.call(this, type);
    window.locks.push(lock);
    return lock;
  };
})();
// ear is the connection that one listens by.
function ear() {
  return connections.findLast((c) => c.signalingState !== 'closed' && c.getTransceivers().some((t) => t.direction === 'recvonly'));
}
// tape begins to measure what plays: its read gives for each section the loudness of each
// 20 ms so far. The browser keeps what plays until the page takes it, however late that is.
function tape() {
  const taps = (ear()?.getReceivers() ?? []).map(({track}) => {
    const loudness = [], rest = [];
    const reader = new MediaStreamTrackProcessor({track: track.clone(), maxBufferSize: 1000}).readable.getReader();
    const ended = (async () => {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        const audio = next.value, samples = new Float32Array(audio.numberOfFrames);
        audio.copyTo(samples, {planeIndex: 0, format: 'f32-planar'});
        audio.close();
        rest.push(...samples);
        while (rest.length >= 960) loudness.push(Math.sqrt(rest.splice(0, 960).reduce((n, x) => n + x * x, 0) / 960));
      }
    })();
    return {loudness, reader, ended};
  });
  return {
    read: async () => taps.map(({loudness}) => loudness),
    stop: async () => {
      for (const {reader} of taps) await reader.cancel();
      await Promise.all(taps.map(({ended}) => ended));
    },
  };
}
// record is a tape of a while.
async function record(ms) {
  const all = tape();
  await new Promise((resolve) => setTimeout(resolve, ms));
  await all.stop();
  return all.read();
}
// pitches measures the loudest frequency of what each section plays, in hertz; 0 is silence.
async function pitches(ms) {
  const context = new AudioContext({sampleRate: 48000});
  const taps = ear().getReceivers().map(({track}) => {
    const tap = context.createAnalyser();
    tap.fftSize = 8192;
    context.createMediaStreamSource(new MediaStream([track])).connect(tap);
    return tap;
  });
  await new Promise((resolve) => setTimeout(resolve, ms));
  const loudest = taps.map((tap) => {
    const bins = new Float32Array(tap.frequencyBinCount);
    tap.getFloatFrequencyData(bins);
    const most = Math.max(...bins);
    return most > -60 ? bins.indexOf(most) * 48000 / tap.fftSize : 0;
  });
  await context.close();
  return loudest;
}
// inbound is what the ear's sections have received so far. The waits are in seconds.
async function inbound() {
  const all = [...(await ear().getStats()).values()].filter((s) => s.type === 'inbound-rtp');
  const sum = (field) => all.reduce((n, s) => n + (s[field] ?? 0), 0);
  return {packets: sum('packetsReceived'), lost: sum('packetsLost'), nacks: sum('nackCount'), concealed: sum('concealedSamples'),
    silent: sum('silentConcealedSamples'), samples: sum('totalSamplesReceived'), slowed: sum('insertedSamplesForDeceleration'),
    waited: sum('jitterBufferDelay'), emitted: sum('jitterBufferEmittedCount'), jitter: Math.max(...all.map((s) => s.jitter ?? 0)), energy: sum('totalAudioEnergy')};
}
`

// person opens a tab that shares nothing with others.
func (c *testBrowser) person(name string) *person {
	c.t.Helper()
	tab, cancel := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext())
	return c.with(tab, name, cancel)
}

// tab opens another tab of the same person: it shares what the browser keeps.
func (c *testBrowser) tab(of *person) *person {
	c.t.Helper()
	tab, cancel := chromedp.NewContext(of.tab)
	return c.with(tab, of.name+"’s second tab", cancel)
}

func (c *testBrowser) with(tab context.Context, name string, cancel func()) *person {
	c.t.Helper()
	p := &person{t: c.t, name: name, device: chromiumTab{tab}, tab: tab}
	_, err := chromedp.Call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: prelude})
	require.NoError(c.t, err)
	watched, agreed := p.watchConsole(), p.agreesToLeave()
	c.t.Cleanup(func() {
		cancel()
		<-watched
		<-agreed
	})
	return p
}

// A chromiumTab is Chromium's [device].
type chromiumTab struct{ ctx context.Context }

func (c chromiumTab) navigate(url string) error { return c.do(chromedp.Navigate(url)) }

func (c chromiumTab) evaluate(expression string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[[]byte](expression, chromedp.EvalAwaitPromise))
}

func (c chromiumTab) click(x, y float64) error { return c.do(chromedp.MouseClickXY(x, y)) }

func (c chromiumTab) write(text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		// No key has it; it is pasted.
		_, err := chromedp.Call(c.ctx, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}
	return c.do(chromedp.KeyEvent(text))
}

func (c chromiumTab) do(steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}
