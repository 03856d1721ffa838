package browser_test

import (
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/internal/chromium"
)

// presses presses keys, one after another.
func (p *person) presses(keys ...string) {
	p.t.Helper()
	for _, k := range keys {
		p.do(chromedp.KeyEvent(k))
	}
}

// focus is the name of what has it.
func (p *person) focus() string {
	p.t.Helper()
	return eval[string](p, `(() => { const e = document.activeElement; return (e.getAttribute('aria-label') ?? e.labels?.[0]?.innerText ?? e.innerText).replace(/\s+/g, ' ').trim(); })()`)
}

// tabsTo presses Tab until something has the focus.
func (p *person) tabsTo(name string) {
	p.t.Helper()
	for range 30 {
		if p.focus() == name {
			return
		}
		p.presses(kb.Tab)
	}
	assert.Fail(p.t, "out of reach of the keyboard", "%s; the focus is on %q", name, p.focus())
}

// opens presses what has the focus, which opens a dialog that takes it.
func (p *person) opens() {
	p.t.Helper()
	p.presses(kb.Enter)
	p.await("document.querySelector('dialog[open]')?.contains(document.activeElement)")
}

func TestKeyboardReachesEverything(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := ownChromium(t, "speech.ogg") // the focus is one window's
	ada := c.person("Ada")
	ada.goTo(s.url)
	ada.sees("Open a room")
	ada.tabsTo("What is it about?")
	ada.presses("Radio")
	ada.tabsTo("Your name")
	ada.presses("Ada", kb.Enter)
	ada.sees("Ada (you)")
	attend(t, s, "radio", "speaker", "Tom")
	ada.sees("Tom")

	ada.tabsTo("Turn your microphone on")
	ada.presses(kb.Enter)
	ada.await("document.querySelector('.seat.talking')")
	ada.await("document.activeElement.getAttribute('aria-label') === 'Mute your microphone'") // the focus stays
	ada.presses(" ")
	ada.await("document.querySelector('.seat.own.muted')")

	// The menu of somebody on stage takes the focus, and gives it back.
	ada.tabsTo("T Tom Speaker Microphone on")
	ada.opens()
	ada.presses(kb.Escape)
	ada.await("!document.querySelector('dialog')")
	assert.Equal(t, "T Tom Speaker Microphone on", ada.focus())
	ada.opens()
	ada.tabsTo("Mute")
	ada.presses(kb.Enter)
	ada.await("document.querySelector('.seat.muted:not(.own)')")

	// The queue of hands, and the rules below it.
	attend(t, s, "radio", "listener", "Lea")(map[string]any{"type": "raise-hand", "id": "1"})
	ada.sees("1 listener")
	ada.tabsTo("Raised hands: 1")
	ada.presses(kb.Enter)
	ada.tabsTo("Lower Lea’s hand")
	ada.presses(kb.Enter)
	ada.sees("No hand is up.")
	ada.tabsTo("Speakers may undo a host’s mute")
	ada.presses(" ")
	ada.await("document.querySelector('#rule-unmute').checked")
	ada.tabsTo("Close: Raised hands")
	ada.presses(kb.Enter)
	assert.Equal(t, "Raised hands: 0", ada.focus(), "what is closed gives the focus back")

	// The search, and what a host can do to whom it finds.
	ada.tabsTo("Find people")
	ada.opens()
	assert.Equal(t, "Name", ada.focus(), "one writes at once")
	ada.presses("l", "e", "a")
	ada.await("document.querySelectorAll('.people .menu-item').length === 1")
	ada.tabsTo("L Lea Listening")
	ada.presses(kb.Enter)
	ada.await("document.querySelector('dialog[open] h2').textContent === 'Lea'")
	ada.tabsTo("Remove from the room")
	ada.presses(kb.Enter)
	ada.sees("Remove Lea?")
	ada.tabsTo("Cancel")
	ada.presses(kb.Enter)
	ada.await("!document.querySelector('dialog')")
	assert.Equal(t, "Find people", ada.focus())

	// The sound.
	ada.connected()
	ada.tabsTo("Your connection")
	ada.presses(kb.Enter)
	ada.tabsTo("Microphone and speakers")
	ada.opens()
	ada.tabsTo("Microphone")
	ada.tabsTo("Volume")
	ada.presses(kb.ArrowLeft)
	ada.await("JSON.parse(localStorage.getItem('earshot.sound')).volume === 0.95")
	ada.presses(kb.Escape)
	ada.await("!document.querySelector('dialog')")
	assert.Equal(t, "Microphone and speakers", ada.focus())
	ada.tabsTo("Close: Your connection")
	ada.presses(kb.Enter)
	assert.Equal(t, "Your connection", ada.focus())

	ada.tabsTo("Applaud")
	ada.presses(kb.Enter)
	ada.await("document.querySelector('.seat.own .clap')")

	// Tom depends on the only host, so she is asked what is to become of him.
	ada.tabsTo("Leave quietly")
	ada.opens()
	ada.tabsTo("Just leave")
	ada.presses(kb.Enter)
	ada.sees("You left quietly")
	assert.Equal(t, "You left quietly", ada.focus(), "a screen reader says what has happened")
}

func TestRefusedMicrophoneIsExplainedAndCanBeAllowedLater(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := ownChromium(t, "speech.ogg", chromium.Whole(t), chromedp.Flag("use-fake-ui-for-media-stream", false))
	ada := c.person("Ada")
	set := func(setting browser.PermissionSetting) {
		_, err := chromedp.CallBrowser(ada.tab, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: "microphone"}, Setting: setting, Origin: s.url,
			BrowserContextID: chromedp.FromContext(ada.tab).BrowserContextID,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ada.opensRoom(s.url, "Radio")
	set(browser.PermissionSettingDenied)
	ada.click("Turn your microphone on")
	ada.sees("The microphone is blocked")
	set(browser.PermissionSettingGranted)
	ada.click("Turn your microphone on")
	ada.await("document.querySelector('.seat.talking')")
}
