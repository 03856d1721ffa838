package browser_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLostPacketsAreRetransmitted(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open", "--advertise", linkHost)
	c := sharedChromium(t)
	l := connect(t, s)
	said := envelopeOf(clip(t, "speech.ogg"))
	ada := c.person("Ada")
	ada.opensRoom(l.url, "Radio")
	ada.click("Turn your microphone on")

	bo := c.person("Bo")
	bo.follows(l.url+"/#/r/radio", "Listen in")
	bo.connected()
	offer := eval[string](bo, "ear().localDescription.sdp")
	assert.Regexp(t, `a=rtcp-fb:\d+ nack\r\n`, offer)
	bo.hears(said)
	before := bo.inbound()
	l.set(func(l *link) { l.dropEvery = 20 })
	bo.await("inbound().then(({packets}) => packets > %d)", before.Packets+500)
	after := bo.inbound()
	l.set(func(l *link) { l.dropEvery = 0 })

	lost, resent := l.losses()
	assert.Greater(t, lost, 15)
	assert.Greater(t, after.Nacks-before.Nacks, lost/2, "what is lost is asked for again")
	assert.Greater(t, resent, lost*3/4, "and comes again")
	assert.Less(t, after.Lost-before.Lost, lost/4+3, "so that little of it stays lost")
	bo.hears(said)
}

func TestNetworkLossReconnects(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open", "--advertise", linkHost)
	c := sharedChromium(t)
	said := envelopeOf(clip(t, "speech.ogg"))
	ada := c.person("Ada")
	ada.opensRoom(s.url, "Radio") // not over the link: she stays
	l := connect(t, s)
	ada.click("Turn your microphone on")
	bo := c.person("Bo")
	bo.follows(l.url+"/#/r/radio", "Listen in")
	bo.hears(said)

	l.cut()
	bo.sees("Reconnecting…")
	l.mend()
	bo.await("!document.querySelector('.banner.lost:not([hidden])')")
	bo.sees("1 on stage · 1 listener")
	bo.hears(said)
	ada.sees("1 person listening")
}

// TestNetworkChangeRestartsICE has a page whose network changes: its ear restarts ICE, and goes
// on being the same.
func TestNetworkChangeRestartsICE(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	ada, bo, said := radio(t, s.url)
	const ufrag = "description.sdp.match(/a=ice-ufrag:(.*)/)[1]"
	eval[bool](bo, `(() => { window.first = ear(); return true; })()`)
	before := eval[[]string](bo, "[ear().localDescription, ear().remoteDescription].map((description) => "+ufrag+")")
	for range 2 { // and again
		eval[bool](bo, "dispatchEvent(new Event('online'))")
		bo.await("[ear().localDescription, ear().remoteDescription].every((description, i) => "+ufrag+" !== %q.split(' ')[i])", strings.Join(before, " "))
		bo.await("ear().signalingState === 'stable' && ear().connectionState === 'connected'")
		before = eval[[]string](bo, "[ear().localDescription, ear().remoteDescription].map((description) => "+ufrag+")")
	}
	bo.hears(said)
	assert.True(t, eval[bool](bo, "ear() === first"), "no other ear was opened")
	ada.sees("1 person listening")
}

func TestServerRestartReconnects(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	ada, bo, said := radio(t, s.url)

	s.stop()
	bo.sees("Reconnecting…")
	s.again()
	ada.sees("1 on stage · 1 listener")
	ada.sees("Host")
	assert.Greater(t, bo.hears(said), 0.0, "the microphone that was on is on again")
}

func TestBlockedUDPIsExplained(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open", "--advertise", linkHost)
	c := sharedChromium(t)
	l := connect(t, s)
	l.set(func(l *link) { l.noUDP = true })
	bo := c.person("Bo")
	bo.follows(l.url+"/#/r/radio", "Open it") // nobody has opened it
	bo.sees("No audio gets through")
	bo.sees("It travels by UDP, which your network seems to block")
	l.set(func(l *link) { l.noUDP = false })
	bo.connected()
	bo.await("!document.querySelector('.banner.blocked:not([hidden])')")
}

func TestMicrophoneWithoutHTTPSIsExplained(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open", "--open-to-network") // on the loopback it takes no other name
	c := ownChromium(t, "speech.ogg", chromedp.Flag("host-resolver-rules", "MAP earshot.test 127.0.0.1"))
	ada := c.person("Ada")
	at, err := url.Parse(s.url)
	require.NoError(t, err)
	ada.opensRoom("http://earshot.test:"+at.Port(), "Radio")
	ada.click("Turn your microphone on")
	ada.sees("The microphone needs HTTPS")
	ada.await("document.querySelector('.mic:not([aria-disabled])')") // to be tried again
}
