package browser_test

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A member plans a room. Another, on the other side of the world, sees it at their own time,
// agrees to host it and opens it; a stranger with the link sees what it is.
func TestPlannedRoomIsOpenedByItsHosts(t *testing.T) {
	t.Parallel()
	s, c, operator := club(t)
	dir := artifacts(t)
	ada, bo := c.person("Ada Okafor"), c.person("Bo")
	ada.joinsClub(operator)
	bo.joinsClub(operator)

	ada.click("Plan a room for later")
	ada.fill("What will it be about?", "Friday night radio")
	ada.pictured(dir, "plan-dialog")
	ada.click("Plan it")
	ada.sees("Open the room now")
	ada.await("document.querySelector('.qr img').naturalWidth > 0")
	ada.pictured(dir, "plan")
	starts, err := time.Parse(time.RFC3339, eval[string](ada, "document.querySelector('time').dateTime"))
	require.NoError(t, err)
	ada.click("Ask somebody to host with you")
	ada.await("document.querySelector('#link')?.value.includes('/#/h/')")
	ask := eval[string](ada, "document.querySelector('#link').value")
	ada.click("Close")
	ada.click("Share")
	ada.await("document.querySelector('#link')?.value.includes('/planned/')")
	link := eval[string](ada, "document.querySelector('#link').value")

	_, err = chromedp.Call(bo.tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Tokyo"})
	require.NoError(t, err)
	bo.goTo(s.url)
	bo.sees("Friday night radio")
	bo.sees(starts.In(time.FixedZone("", 9*60*60)).Format("15:04") + " GMT+9")
	bo.pictured(dir, "hallway")
	bo.goTo(ask)
	bo.sees("Ada Okafor asks you to host")
	bo.click("Host it too")
	bo.sees("With Ada Okafor, Bo")

	dee := c.person("Dee") // has nothing but the link
	dee.goTo(link)
	dee.sees("It opens when a host opens it")
	assert.Contains(t, eval[string](dee, "location.hash"), "#/p/")

	bo.click("Open the room now")
	bo.sees("Friday night radio")
	bo.sees("Bo (you)")
	bo.sees("Host")
	ada.goTo(link)
	ada.click("Go in")
	ada.sees("You come in as a host")
	ada.click("Go in")
	ada.sees("Ada Okafor (you)")
	ada.sees("2 on stage")
	dee.looksAgain()
	dee.sees("Happening now")
	dee.click("Go in")
	dee.sees("You need an invite")
	dee.goTo(s.url + "/planned/none")
	dee.sees("There is nothing here")
}

// A member plans a room and says something of herself with the keyboard alone.
func TestKeyboardPlansARoom(t *testing.T) {
	t.Parallel()
	s := serve(t, "--operator-token", operatorToken, "--data", t.TempDir())
	c := ownChromium(t, "speech.ogg") // the focus is one window's
	ada := c.person("Ada")
	ada.goTo(s.clubInvite())
	ada.fill("Your name", ada.name)
	ada.click("Become a member")
	ada.click("I have kept it")
	ada.sees("You are a member, Ada")

	ada.tabsTo("Your profile")
	ada.opens()
	ada.tabsTo("A few words about you")
	ada.presses("Radio", kb.Enter)
	ada.await("!document.querySelector('dialog')")
	assert.Equal(t, "Your profile", ada.focus(), "it gives the focus back")

	ada.tabsTo("Plan a room for later")
	ada.opens()
	ada.tabsTo("What will it be about?")
	ada.presses("Friday night radio")
	ada.tabsTo("Plan it")
	ada.presses(kb.Enter)
	ada.sees("Open the room now")
	ada.tabsTo("Share")
	ada.opens()
	ada.presses(kb.Escape)
	ada.await("!document.querySelector('dialog')")
	assert.Equal(t, "Share", ada.focus())
	ada.tabsTo("Open the room now")
	ada.presses(kb.Enter)
	ada.sees("Ada (you)")
}
