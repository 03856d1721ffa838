package browser_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
)

func TestNewRoomHostIsHeardByInvitedListener(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	said := envelopeOf(clip(t, "speech.ogg"))

	ada := c.person("Ada")
	ada.opensRoom(s.url, "Friday night radio")
	ada.click("Turn your microphone on")

	bo := c.person("Bo")
	bo.follows(ada.invites(), "Listen in")
	bo.sees("Ada")
	bo.sees("1 on stage · 1 listener")
	ada.sees("1 person listening")
	assert.Positive(t, bo.hears(said))

	// The ring follows the voice, here and at the speaker's own.
	bo.await("document.querySelector('.seat.talking')")
	ada.await("document.querySelector('.seat.talking')")
	for _, heard := range ada.records(time.Second) {
		assert.Zero(t, heard.energy(), "nobody hears their own mic")
	}
}

func TestAutoplayBlockAsksForTap(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	ada := c.person("Ada")
	ada.opensRoom(s.url, "Radio")
	ada.do(chromedp.Reload()) // she goes straight back in, without a tap
	ada.sees("Your browser waits for a tap before it plays")
	ada.click("Tap to listen")
	ada.await("document.querySelector('.banner').hidden")
	ada.await("[...document.querySelectorAll('audio')].every((e) => !e.paused)")
}
