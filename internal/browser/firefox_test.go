package browser_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/firefox"
	"github.com/earshot-audio/earshot/internal/lab"
)

// A testFirefox is a Firefox whose microphone plays a tone. Its people share nothing.
type testFirefox struct {
	t       *testing.T
	browser *firefox.Browser
}

func ownFirefox(t *testing.T, hertz int) *testFirefox {
	t.Helper()
	path, err := firefox.Path()
	if err != nil {
		if _, missing := exec.LookPath("apt-get"); missing != nil {
			t.Skip("make tools takes Firefox from Debian's packages, and there are none here")
		}
		require.NoError(t, err, "run make tools, or install Firefox")
	}
	browser, err := firefox.Launch(path, firefox.Microphone(hertz))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, browser.Stop()) })
	return &testFirefox{t, browser}
}

// person opens a tab that shares nothing with others, and notes what goes wrong on its page.
func (c *testFirefox) person(name string) *person {
	c.t.Helper()
	tab, err := c.browser.NewTab(prelude + firefoxPrelude)
	require.NoError(c.t, err)
	return &person{t: c.t, name: name, device: firefoxTab{tab}}
}

// A firefoxTab is Firefox's [device].
type firefoxTab struct{ *firefox.Tab }

func (f firefoxTab) navigate(url string) error                  { return f.Navigate(url) }
func (f firefoxTab) evaluate(expression string) ([]byte, error) { return f.Evaluate(expression) }
func (f firefoxTab) click(x, y float64) error                   { return f.Click(x, y) }
func (f firefoxTab) write(text string) error                    { return f.Type(text) }

// firefoxPrelude records by a MediaRecorder: Firefox has no MediaStreamTrackProcessor for audio. What
// that has written can be decoded once it has stopped, so it does after 4.5 s.
const firefoxPrelude = `
window.faults = [];
addEventListener('error', (e) => faults.push(String(e.error ?? e.message)));
addEventListener('unhandledrejection', (e) => faults.push(String(e.reason)));
document.addEventListener('securitypolicyviolation', (e) => faults.push(e.violatedDirective + ' ' + e.blockedURI));
tape = () => {
  const begun = performance.now();
  const taps = (ear()?.getReceivers() ?? []).map(({track}) => {
    const recorder = new MediaRecorder(new MediaStream([track])), chunks = [];
    recorder.ondataavailable = ({data}) => chunks.push(data);
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    return {recorder, chunks, stopped};
  });
  const stop = () => Promise.all(taps.map(({recorder, stopped}) => {
    if (recorder.state !== 'inactive') recorder.stop();
    return stopped;
  }));
  const decode = async ({chunks}) => {
    const audio = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(await new Blob(chunks).arrayBuffer());
    const samples = audio.getChannelData(0), loudness = [];
    for (let i = 0; i + 960 <= samples.length; i += 960) {
      loudness.push(Math.sqrt(samples.subarray(i, i + 960).reduce((n, x) => n + x * x, 0) / 960));
    }
    return loudness;
  };
  const read = async () => {
    if (taps.some(({recorder}) => recorder.state === 'recording')) {
      if (performance.now() - begun < 4500) return [];
      await stop();
    }
    return Promise.all(taps.map(decode));
  };
  return {stop, read};
};
Object.assign(window, {ear, tape, record, pitches, inbound});
`

// hearsTone waits until the loudest that a section plays is a tone.
func (p *person) hearsTone(hertz int) {
	p.t.Helper()
	p.connected()
	p.await("pitches(500).then((all) => all.some((loudest) => Math.abs(loudest - %d) < 15))", hertz)
}

// TestFirefoxHearsAndIsHeard plays a host in Firefox and a guest in Chromium. The server's audio
// is not on the loopback, which Firefox does not use; a third person is told so.
//
// It is not parallel: beside three others, on a machine that has more to do, Firefox gets too little of a core
// to record what it plays.
func TestFirefoxHearsAndIsHeard(t *testing.T) {
	own := lab.OwnAddress(t)
	require.NotEmpty(t, own, "this machine has no IPv4 address but the loopback's, and Firefox connects to nothing there")
	s, near := serveAudioAt(t, own, "--open", "--open-to-network"), serve(t, "--open")
	said := envelopeOf(clip(t, "speech.ogg"))
	const hertz = 700
	f := ownFirefox(t, hertz)
	fay, gil, bo := f.person("Fay"), f.person("Gil"), sharedChromium(t).person("Bo")
	gil.opensRoom(near.url, "Near")

	// A page that nobody has touched waits for a tap.
	fay.opensRoom(s.url, "Radio")
	fay.goTo(s.url + "/#/r/radio")
	fay.sees("Your browser waits for a tap before it plays")
	fay.click("Tap to listen")
	fay.await("[...document.querySelectorAll('audio')].every((e) => !e.paused)")

	fay.click("Turn your microphone on")
	bo.follows(fay.invites(), "Listen in")
	bo.hearsTone(hertz)
	bo.await("document.querySelector('.seat.talking')")
	fay.await("document.querySelector('.seat.own.talking')")
	fay.click("Mute your microphone")
	bo.await("document.querySelector('.seat.muted')")
	bo.silence()

	bo.click("Raise your hand")
	fay.click("Raised hands: 1")
	fay.click("Invite Bo to the stage")
	bo.click("Come on stage")
	bo.click("Turn your microphone on")
	fay.hears(said)
	fay.await("document.querySelectorAll('.seat.talking').length === 1")
	fay.click("Close: Raised hands")

	// Another network: the same connections go on.
	const ufrag = "ear().localDescription.sdp.match(/ice-ufrag:(.*)/)[1]"
	before, connections := eval[string](fay, ufrag), eval[int](fay, "connections.length")
	eval[bool](fay, "dispatchEvent(new Event('online'))")
	fay.await(ufrag+" !== %q && ear().signalingState === 'stable'", before)
	packets := fay.inbound().Packets
	fay.await("inbound().then(({packets}) => packets > %d)", packets+100)
	assert.Equal(t, connections, eval[int](fay, "connections.length"))

	// What the page says of the connection and of the microphone.
	fay.click("Your connection")
	fay.await("/1 voice[^]*AES/.test(document.querySelector('.facts').innerText)")
	fay.click("Microphone and speakers")
	fay.click("Test")
	fay.await("document.querySelector('meter').value > 0.02")
	fay.click("Close")
	fay.click("Turn your microphone on")
	bo.hearsTone(hertz)

	gil.sees("some browsers do not use, Firefox among them")
	assert.Empty(t, eval[[]string](fay, "faults"))
	assert.Empty(t, eval[[]string](gil, "faults"))
	fay.click("End")
	fay.click("End the room")
	bo.sees("The room has ended")
}
