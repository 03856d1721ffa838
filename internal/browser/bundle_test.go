package browser_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const bundling = "Send to the audience (bundles cost the server less)"

// hold is what the control that the person sees has chosen.
func (p *person) hold() string { return eval[string](p, find+".value", bundling) }

func TestHostChoosesBundles(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	said := envelopeOf(clip(t, "speech.ogg"))

	ada := c.person("Ada")
	ada.goTo(s.url)
	ada.sees("Open a room")
	assert.Equal(t, "0", ada.hold(), "nobody waits unless somebody wants it")
	ada.choose(bundling, "100")
	ada.fill("What is it about?", "Broadcast")
	ada.fill("Your name", ada.name)
	ada.click("Open the room")
	ada.sees("Ada (you)")
	ada.click("Turn your microphone on")
	bo := c.person("Bo")
	bo.follows(ada.invites(), "Listen in")
	bo.click("Your connection")
	bo.sees("In bundles, up to 100 ms later")
	bo.hears(said)

	ada.click("Raised hands: 0")
	ada.sees(bundling)
	assert.Equal(t, "100", ada.hold())
	ada.choose(bundling, "0")
	bo.await("!document.body.innerText.includes('In bundles')")
	bo.hears(said)

	// What the page does not offer is shown as it is.
	cy := attend(t, s, "broadcast", "host", "Cy")
	cy(map[string]any{"type": "set-rules", "audience_hold_ms": 60})
	bo.sees("In bundles, up to 60 ms later")
	ada.await(find+".value === '60'", bundling)
	ada.sees("In bundles, up to 60 ms later")
	if dir := artifacts(t); dir != "" {
		ada.pictured(dir, "bundles")
	}
}

// A jitterBuffer is what Chromium made of a while.
type jitterBuffer struct {
	packets, lost     int
	concealed, slowed float64 // shares of the samples
	buffered, jitter  time.Duration
}

func (p *person) buffering(over time.Duration) jitterBuffer {
	p.t.Helper()
	before := p.inbound()
	time.Sleep(over)
	after := p.inbound()
	share := func(n int) float64 { return float64(n) / float64(max(1, after.Samples-before.Samples)) }
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return jitterBuffer{
		packets: after.Packets - before.Packets, lost: after.Lost - before.Lost,
		concealed: share(after.Concealed - before.Concealed), slowed: share(after.Slowed - before.Slowed),
		buffered: seconds((after.Waited - before.Waited) / float64(max(1, after.Emitted-before.Emitted))),
		jitter:   seconds(after.Jitter),
	}
}

func (n jitterBuffer) String() string {
	return fmt.Sprintf("%d packets, %d lost, %.2f %% concealed, %.2f %% slowed, %v buffered, %v jitter",
		n.packets, n.lost, 100*n.concealed, 100*n.slowed, n.buffered.Round(time.Millisecond), n.jitter.Round(time.Millisecond))
}

// Chromium's jitter buffer takes bundles for what they are: packets that come late and
// together. It waits a little longer, and conceals nothing. Each row is held against the
// same room without a hold.
//
// It is not parallel: what the machine's other work delays is concealed, too.
func TestChromiumHearsBundlesWithoutFault(t *testing.T) {
	over, cells := 4*time.Second, map[int][]int{3: {0, 100}}
	if os.Getenv("EARSHOT_SOAK") != "" {
		over, cells = time.Minute, map[int][]int{1: {0, 40, 100}, 2: {0, 40, 100}, 3: {0, 40, 100}}
	}
	for talkers, holds := range cells {
		t.Run(fmt.Sprint(talkers, " talk"), func(t *testing.T) {
			s := serve(t, "--open")
			c := ownChromium(t, "reader.ogg")
			s.play(fmt.Sprintf(`
name: bundles
room: {capacity: 10, slots: 3}
cast:
  - {role: speaker, count: %d, audio: [AUDIO/speech.ogg, AUDIO/reader.ogg, AUDIO/guest.ogg]}
  - {role: listener, count: 1}
hold: 60m
thresholds: {joined: ["rate == 1"]}
`, talkers))
			bo := c.person("Bo")
			bo.findsRoom(s)
			bo.click("Listen in")
			bo.await("document.querySelectorAll('.seat.talking').length === %d", talkers)
			host := attend(t, s, eval[string](bo, "location.hash.split('/').pop()"), "host", "Ada")
			for _, hold := range holds {
				host(map[string]any{"type": "set-rules", "audience_hold_ms": hold})
				// One stretch without a fault is asked for, not the first: the buffer has to
				// learn the new delay, and the browser may have to wait for a core.
				require.Eventually(t, func() bool {
					n := bo.buffering(over)
					t.Logf("%d talk, held for %d ms: %v", talkers, hold, n)
					bundled := n.jitter > 8*time.Millisecond // RFC 3550: 20 or more if all is as it should be
					whole := n.packets >= int(over.Seconds()*45)*talkers
					return whole && n.lost == 0 && n.concealed < 0.02 && (hold == 0 || bundled)
				}, max(3*patience, 4*over), time.Millisecond, "held for %d ms", hold)
			}
		})
	}
}
