package browser_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/internal/chromium"
)

// The page's own choice of microphone and volume, its keys, and what it tells the device.
func TestSoundAndKeysAreTheUsers(t *testing.T) {
	t.Parallel()
	ada, bo, said := onAirIn(t, ownChromium(t, "speech.ogg", chromium.Whole(t)))

	// M mutes and unmutes, but for one who writes.
	ada.presses("m")
	bo.await("document.querySelector('.seat.muted')")
	ada.click("Find people")
	ada.fill("Name", "m")
	ada.sees("Nobody here is called that.")
	ada.presses("\x1b")
	ada.await("!document.querySelector('dialog')")
	assert.True(t, eval[bool](ada, "Boolean(document.querySelector('.seat.own.muted'))"), "a letter in a field is a letter")
	ada.presses("M")
	bo.await("!document.querySelector('.seat.muted')")
	bo.hears(said)

	// Another microphone goes over the same connection, and is heard.
	connections := eval[int](ada, "connections.length")
	ada.picks("Ada (you)") // it is in one's own menu, too
	ada.click("Microphone and speakers")
	ada.await("document.querySelectorAll('#sound-mic option').length > 1")
	ada.click("Test")
	ada.await("document.querySelector('meter').value > 0.02")
	ada.pictured(artifacts(t), "sound")
	ada.choose("Microphone", eval[string](ada, "[...document.querySelectorAll('#sound-mic option')].at(-1).value"))
	const echo = "connections.flatMap((c) => c.getSenders()).map((s) => s.track?.getSettings().echoCancellation).filter((e) => e !== undefined).join()"
	ada.await(echo + " === 'true'")
	ada.click("Cancel echo (off for music, with headphones)")
	ada.await(echo + " === 'false'")

	// So go other speakers.
	ada.await("document.querySelectorAll('#sound-speaker option').length > 1")
	speaker := eval[string](ada, "[...document.querySelectorAll('#sound-speaker option')].at(-1).value")
	ada.choose("Speakers", speaker)
	ada.await("[...document.querySelectorAll('audio')].every((e) => e.sinkId === %q)", speaker)
	ada.click("Close")
	assert.Equal(t, connections, eval[int](ada, "connections.length"))
	bo.hears(said)

	// The volume is the listener's.
	bo.click("Your connection")
	bo.click("Microphone and speakers")
	eval[bool](bo, "(() => { const e = document.querySelector('#sound-volume'); e.value = 20; return e.dispatchEvent(new Event('input')); })()")
	bo.await("[...document.querySelectorAll('audio')].every((e) => Math.abs(e.volume - 0.2) < 0.01)")
	bo.click("Close")
	assert.InDelta(t, 0.2, eval[float64](bo, "JSON.parse(localStorage.getItem('earshot.sound')).volume"), 0.01)

	// So is the language: the room is drawn anew, and its audio goes on.
	ears := eval[int](bo, "connections.length")
	bo.choose("Language", "de")
	bo.sees("Deine Verbindung")
	bo.await("document.querySelector('.facts').checkVisibility() && document.activeElement.id === 'language'")
	assert.Equal(t, "de", eval[string](bo, "document.documentElement.lang"))
	bo.hears(said)
	bo.pictured(artifacts(t), "room-language")
	assert.Equal(t, ears, eval[int](bo, "connections.length"))
	ada.click("Mute your microphone")
	bo.await("document.querySelector('.seat.muted .seat-mic').textContent === 'Mikrofon aus'")
	ada.click("Turn your microphone on")

	// The lock screen knows what plays, and the page can be installed.
	bo.await("navigator.mediaSession.metadata?.title === 'Radio' && navigator.mediaSession.metadata.artist === 'Ada'")
	assert.Equal(t, "standalone", eval[string](bo, "fetch(document.querySelector('link[rel=manifest]').href).then((r) => r.json()).then((m) => m.display)"))
	assert.True(t, eval[bool](bo, `fetch('/app/manifest.webmanifest').then((r) => r.json()).then((m) => Promise.all(m.icons.map((i) => fetch(i.src).then((r) => r.ok && r.headers.get('Content-Type') === i.type)))).then((all) => all.length > 2 && all.every(Boolean))`))

	eval[bool](ada, "(mediaKeys.togglemicrophone(), true)")
	bo.await("document.querySelector('.seat.muted')")
	eval[bool](ada, "(mediaKeys.togglemicrophone(), true)")
	bo.await("!document.querySelector('.seat.muted')")
	eval[bool](ada, "(mediaKeys.hangup(), true)")
	ada.sees("You are the only host")
	ada.click("Close")

	// The screen of those on stage stays on, until they leave.
	ada.await("locks.some((l) => !l.released)")
	assert.Zero(t, eval[int](bo, "locks.length"), "a listener's may go dark")
	ada.click("Leave quietly")
	ada.click("Just leave")
	ada.sees("You left quietly")
	ada.await("locks.every((l) => l.released) && !navigator.mediaSession.metadata")
	bo.do(chromedp.Reload())
}
