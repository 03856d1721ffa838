package browser_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBanFromThePageHolds(t *testing.T) {
	t.Parallel()
	s, c, ada := club(t)
	cy := c.person("Cy")
	cy.joinsClub(ada)
	ada.opensClosedRoom("The back room")
	link := ada.invites()
	cy.goTo(link)
	cy.click("Come in")
	ada.sees("1 listener")
	ada.clickOn("document.querySelector('.listener-person')")
	ada.click("Ban from the room")
	ada.sees("can’t come back into this room")
	ada.click("Ban")
	cy.sees("You were put out of this room")
	ada.sees("0 listeners")

	room := strings.TrimPrefix(eval[string](ada, "location.hash"), "#/r/")
	cy.goTo(s.url + "/#/r/" + room)
	cy.sees("You can’t come back in")
	ada.click("Invite people")
	ada.choose("They come in as", "speaker") // one that nobody has used
	ada.await("document.querySelector('#link')?.value")
	cy.goTo(eval[string](ada, "document.querySelector('#link').value"))
	cy.click("Come in")
	cy.sees("put you out of this room")
}

func TestHostRoleIsPassedOnFromThePage(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	ada, bo := c.person("Ada"), c.person("Bo")
	ada.opensRoom(s.url, "Radio")
	bo.follows(s.url+"/#/r/radio", "Listen in")
	attend(t, s, "radio", "listener", "Lea")(map[string]any{"type": "raise-hand", "id": "1"})
	ada.click("Raised hands: 1") // Lea's is up
	bo.click("Raise your hand")
	const queue = "[...document.querySelectorAll('.hand')].map((e) => e.querySelector('.hand-place').textContent + ' ' + e.querySelector('.hand-name').textContent).join()"
	ada.await(queue + " === '1 Lea,2 Bo'")
	ada.click("Invite Bo to the stage")
	bo.click("Come on stage")
	ada.sees("2 on stage")
	ada.await(queue + " === '1 Lea'")
	ada.click("Close: Raised hands")
	ada.picks("Bo")
	ada.click("Pass the host role on")
	ada.sees("Make Bo host instead of you?")
	ada.click("Pass it on")
	bo.sees("You are a host now")
	ada.sees("You are a speaker now")
	bo.await("document.querySelector('.seat.own.host') && document.querySelectorAll('.seat.host').length === 1")

	// The rules are the new host's, and hold for those who come later.
	bo.click("Raised hands: 1")
	bo.choose("Who may raise a hand", "off")
	bo.await("document.querySelector('#rule-hands').value === 'off' && !document.querySelector('.hand')")
	cy := c.person("Cy")
	cy.follows(s.url+"/#/r/radio", "Listen in")
	cy.sees("2 on stage · 2 listeners")
	assert.False(t, eval[bool](cy, "[...document.querySelectorAll('button')].some((b) => b.checkVisibility() && b.getAttribute('aria-label') === 'Raise your hand')"))
	bo.choose("Who may raise a hand", "everyone")
	cy.click("Raise your hand")
	bo.await("document.querySelector('.hand-name')?.textContent === 'Cy'")
}

// After a quarter of an hour a token has run out. Whoever comes back then, renews it.
func TestTokenIsRenewedWhenItHasRunOut(t *testing.T) {
	t.Parallel()
	s, c, ada := club(t)
	said := envelopeOf(clip(t, "speech.ogg"))
	ada.opensClosedRoom("Board meeting")
	bo := c.person("Bo")
	bo.follows(ada.invites(), "Come in")
	bo.hears(said)
	room := strings.TrimPrefix(eval[string](bo, "location.hash"), "#/r/")
	token := func() string {
		return eval[string](bo, "JSON.parse(localStorage.getItem('earshot.seat.%s')).token", room)
	}
	before := token()
	eval[bool](bo, "(() => { const now = Date.now; Date.now = () => now() + 16 * 60 * 1000; return true; })()")
	s.stop()
	bo.sees("Reconnecting…")
	s.again()
	bo.hears(said)
	assert.NotEqual(t, before, token(), "the token is another")
}
