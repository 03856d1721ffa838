package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/chromium"
)

// A screen is what the page is looked at on.
type screen struct {
	name          string
	width, height int64
}

var (
	phone   = screen{"phone", 390, 844}
	desktop = screen{"desktop", 1280, 800}
)

// on gives the tab another screen.
func (p *person) on(s screen, dark bool) {
	p.t.Helper()
	options := []chromedp.EmulateViewportOption{}
	if s == phone {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait)
	}
	p.do(chromedp.EmulateViewport(s.width, s.height, options...))
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	chromium.Prefer(p.t, p.tab, scheme)
}

// artifacts is where pictures go: $EARSHOT_ARTIFACTS. Without it none are taken.
func artifacts(t *testing.T) string {
	dir := os.Getenv("EARSHOT_ARTIFACTS")
	if dir != "" {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	return dir
}

// pictured looks at what the tab shows on every screen, light and dark: does it
// fit, does axe-core find fault? It takes pictures if dir is set.
func (p *person) pictured(dir, what string) {
	p.t.Helper()
	for _, s := range []screen{phone, desktop} {
		for _, dark := range []bool{false, true} {
			p.on(s, dark)
			p.settled()
			p.await("!document.querySelector('.seat') || document.querySelector('.seat.talking')") // as one would show it
			name := fmt.Sprintf("%s-%s", what, s.name)
			if dark {
				name += "-dark"
			}
			p.shot(dir, name)
			p.fits(name)
			if dark == (s == desktop) { // each colour once, and each screen
				chromium.RequireAccessible(p.t, p.tab, name)
			}
		}
	}
	p.fitsAnywhere(what)
}

// shot takes a picture of what the tab shows, if dir is set.
func (p *person) shot(dir, name string) {
	p.t.Helper()
	if dir == "" {
		return
	}
	data, err := chromedp.Run(p.tab, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+".png"), data, 0o644))
}

// fitsAnywhere requires that the page fits on other screens too, at a zoom of 200 %, and
// written from right to left.
func (p *person) fitsAnywhere(what string) {
	p.t.Helper()
	for _, s := range []screen{{"small phone", 320, 640}, {"tablet", 768, 1024}, {"desktop at 200 %", desktop.width / 2, desktop.height / 2}, {"large", 1920, 1080}} {
		p.on(s, false)
		for _, direction := range []string{"ltr", "rtl"} {
			eval[string](p, "document.documentElement.dir = %q", direction)
			p.settled()
			p.fits(fmt.Sprintf("%s on a %s screen, %s", what, s.name, direction))
		}
		eval[string](p, "document.documentElement.dir = 'ltr'")
	}
}

// settled waits until fonts are there and nothing moves that ends, but for the
// rings around those who talk, which move with their voices.
func (p *person) settled() {
	p.t.Helper()
	p.await(`document.fonts.ready.then(() => document.getAnimations().every((a) => a.effect.getTiming().iterations === Infinity || a.playState === 'finished'
		|| a instanceof CSSTransition && a.effect.target.closest('.seat')))`)
}

// fits requires that nothing is wider than the screen.
func (p *person) fits(where string) {
	p.t.Helper()
	wide := eval[[]string](p, `[...document.body.querySelectorAll('*')].filter((e) => e.checkVisibility() && !e.closest('.sr-only, .toasts')
		&& e.getBoundingClientRect().width > 1 && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 120))`)
	require.Empty(p.t, wide, "%s: wider than the screen", where)
	require.LessOrEqual(p.t, eval[float64](p, "document.documentElement.scrollWidth - innerWidth"), 0.0, where)
}

func TestPageIsAccessibleOnEveryScreen(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := ownChromium(t, "speech.ogg")
	dir := artifacts(t)

	ada := c.person("Ada Okafor")
	ada.goTo(s.url)
	ada.sees("All is quiet")
	ada.pictured(dir, "home-empty")
	ada.opensRoom(s.url, "Friday night radio")
	ada.click("Turn your microphone on")
	const room = "friday-night-radio"
	for _, name := range []string{"Marisol Vega", "Tom Åkesson", "Yuki", "Priya Nair", "Jonas Weber"} {
		attend(t, s, room, "speaker", name)
	}
	for _, first := range []string{"Noor", "Kofi", "Elif", "Marta", "Hiro", "Lena", "Samuel", "Aisha", "Pavel", "Inês", "Dara", "Olu", "Freya", "Mateo"} {
		for _, last := range []string{"Brandt", "Haddad", "Silva"} {
			attend(t, s, room, "listener", first+" "+last)
		}
	}

	bo := c.person("Bo Lindqvist")
	bo.goTo(s.url)
	bo.sees("Friday night radio")
	bo.pictured(dir, "home")
	bo.goTo(s.url + "/#/r/" + room)
	bo.sees("Listen in")
	bo.pictured(dir, "gate")
	bo.follows(s.url+"/#/r/"+room, "Listen in")
	bo.connected()
	bo.await("document.querySelector('.seat.talking')")
	bo.pictured(dir, "listener")
	bo.click("Your connection")
	bo.await("document.querySelector('.plot-line').getAttribute('d')?.split('L').length > 8")
	bo.pictured(dir, "connection")
	bo.click("Raise your hand")

	ada.click("Raised hands: 1")
	ada.sees("Bo Lindqvist")
	ada.await("document.querySelectorAll('.listener').length === 43")
	ada.pictured(dir, "host")
	ada.picks("Marisol Vega")
	ada.sees("Move to the audience")
	ada.pictured(dir, "menu")
	ada.click("Close")
	ada.click("Invite people")
	ada.await("document.querySelector('#link')?.value")
	ada.pictured(dir, "invite")
	ada.click("Close")
	ada.click("End")
	ada.click("End the room")
	bo.sees("The room has ended")
	bo.pictured(dir, "over")
}
