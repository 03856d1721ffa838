package browser_test

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A visitor whose browser wants German gets German, in what the server refuses too. What they pick
// is kept, and an address may ask for another.
func TestLanguageIsTheVisitors(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	ada := sharedChromium(t).person("Ada")
	agent := eval[string](ada, "navigator.userAgent")
	_, err := chromedp.Call(ada.tab, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: "de-AT,en"})
	require.NoError(t, err)

	ada.goTo(s.url)
	ada.sees("Komm rein, hör zu, red mit.")
	assert.Equal(t, "de ltr", eval[string](ada, "document.documentElement.lang + ' ' + document.documentElement.dir"))
	ada.on(phone, false)
	ada.fits("German on a phone")
	ada.goTo(s.url + "/#/i/none")
	ada.sees("Diese Einladung gilt nicht mehr")

	ada.choose("Sprache", "en")
	ada.sees("This invite is no longer good")
	ada.goTo(s.url)
	ada.sees("Come in, listen, speak up.")
	ada.goTo(s.url + "/?lang=de")
	ada.sees("Komm rein, hör zu, red mit.")
	ada.goTo(s.url + "/nowhere")
	ada.sees("There is nothing here")
	ada.goTo(s.url + "/nowhere?lang=de")
	ada.sees("Hier ist nichts")
	assert.Equal(t, "Nicht hier · earshot", eval[string](ada, "document.title"))
}
