package browser_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onAir is a room with a host who speaks and a listener who hears them.
func onAir(t *testing.T) (host, listener *person, said envelope) {
	t.Helper()
	return onAirIn(t, sharedChromium(t))
}

// onAirIn is [onAir] in a browser of the test's own.
func onAirIn(t *testing.T, c *testBrowser) (host, listener *person, said envelope) {
	t.Helper()
	s := serve(t, "--open")
	said = envelopeOf(clip(t, "speech.ogg"))
	host = c.person("Ada")
	host.opensRoom(s.url, "Radio")
	host.click("Turn your microphone on")
	listener = c.person("Bo")
	listener.follows(s.url+"/#/r/radio", "Listen in")
	listener.hears(said)
	return host, listener, said
}

// lingers is for how long a browser may play what has come in, at most: on a busy machine its jitter buffer is long.
const lingers = time.Second

// silence requires that nothing comes in any more, once what was on its way has, and has been played.
func (p *person) silence() {
	p.t.Helper()
	p.await("!document.querySelector('.seat.talking')")
	before := p.inbound()
	for _, heard := range p.records(lingers + 2*time.Second) {
		played := heard[min(len(heard), int(lingers/(20*time.Millisecond))):]
		assert.NotEmpty(p.t, played, "%s's browser plays, if only silence", p.name)
		assert.Less(p.t, played.energy(), 1e-6, "%s hears something", p.name)
	}
	assert.LessOrEqual(p.t, p.inbound().Packets-before.Packets, 5, "packets still come to %s", p.name)
}

func TestMuteSilencesSpeaker(t *testing.T) {
	t.Parallel()
	ada, bo, said := onAir(t)
	ada.click("Mute your microphone")
	bo.await("document.querySelector('.seat.muted')")
	bo.silence()
	ada.click("Turn your microphone on")
	bo.await("document.querySelector('.seat.talking')")
	bo.hears(said)
}

func TestRaisedHandLeadsToStage(t *testing.T) {
	t.Parallel()
	ada, bo, said := onAir(t)
	ada.click("Mute your microphone") // so that only Bo is heard
	before := eval[int](bo, "connections.length")
	bo.click("Raise your hand")
	ada.click("Raised hands: 1")
	ada.click("Invite Bo to the stage")
	bo.sees("Ada invites you to the stage")
	bo.click("Stay in the audience")
	ada.sees("Bo would rather listen")

	ada.click("Invite Bo to the stage")
	bo.click("Come on stage")
	bo.sees("Bo (you)")
	ada.sees("2 on stage · 0 listeners")
	assert.Equal(t, before, eval[int](bo, "connections.length"), "the ear stays as it is and no microphone was asked for")
	bo.click("Turn your microphone on")
	ada.hears(said)
	ada.await("document.querySelectorAll('.seat.talking').length === 1")

	// A mute by the host holds, and back in the audience all is over.
	ada.click("Close: Raised hands")
	ada.picks("Bo")
	ada.click("Mute")
	bo.sees("A host muted your microphone")
	ada.silence()
	bo.await("document.querySelector('.bar .mic').ariaLabel === 'A host muted you' && document.querySelector('.bar .mic').ariaDisabled === 'true'")
	// Unless the rules let speakers undo it.
	ada.click("Raised hands: 0")
	ada.click("Speakers may undo a host’s mute")
	bo.click("Turn your microphone on")
	ada.await("document.querySelectorAll('.seat.talking').length === 1")
	ada.click("Close: Raised hands")
	ada.picks("Bo")
	ada.click("Move to the audience")
	bo.sees("You are back in the audience")
	ada.sees("1 on stage · 1 listener")
	assert.Equal(t, 1, eval[int](bo, "connections.filter((c) => c.signalingState !== 'closed').length"), "the microphone is off")
}

func TestRemovedListenerHearsNothingFromKeptConnection(t *testing.T) {
	t.Parallel()
	ada, bo, _ := onAir(t)
	bo.click("Raise your hand")
	// Bo's page has been tampered with: it closes no connection.
	ear := eval[bool](bo, "(window.stubborn = true, window.held = ear(), true)")
	require.True(t, ear)
	ada.click("Raised hands: 1")
	ada.click("Remove Bo from the room")
	ada.sees("Remove Bo?")
	ada.click("Remove")
	bo.sees("You were put out of this room")
	ada.sees("1 on stage · 0 listeners")

	const received = `held.getStats().then((all) => [...all.values()].reduce((n, s) => n + (s.type === 'inbound-rtp' ? s.packetsReceived : 0), 0))`
	before := eval[int](bo, received)
	ada.await("inbound().then(() => true)")
	time.Sleep(2 * time.Second) // Ada talks on
	assert.LessOrEqual(t, eval[int](bo, received)-before, 5, "audio goes on after the removal")
	assert.True(t, eval[bool](bo, "held.connectionState !== 'connected' || held.getReceivers()[0].transport.state === 'closed'"))
}

func TestThreeSpeakersAreHeardInThreeSections(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	s.play(`
name: three at once
room: {capacity: 10, slots: 3}
cast:
  - {role: speaker, count: 3, audio: [AUDIO/speech.ogg, AUDIO/reader.ogg, AUDIO/guest.ogg]}
  - {role: listener, count: 1}
hold: 5m
thresholds: {joined: ["rate == 1"]}
`)
	bo := c.person("Bo")
	bo.findsRoom(s)
	bo.click("Listen in")
	bo.await("document.querySelectorAll('.seat.talking').length === 3")

	said := map[string]envelope{}
	for _, voice := range []string{"speech.ogg", "reader.ogg", "guest.ogg"} {
		said[voice] = envelopeOf(clip(t, voice))
	}
	var where map[string]int
	require.Eventually(t, func() bool {
		where = map[string]int{}
		for section, heard := range bo.records(5 * time.Second) {
			for voice, e := range said {
				if heard.likeness(e) > alike {
					where[voice] = section
				}
			}
		}
		return len(where) == 3
	}, 2*patience, time.Millisecond, "heard %v", where)
	sections := map[int]bool{}
	for _, at := range where {
		sections[at] = true
	}
	assert.Len(t, sections, 3, "each voice in a section of its own: %v", where)
}
