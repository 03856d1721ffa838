package browser_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
)

// face is a listener's on the page.
const face = "[...document.querySelectorAll('.listener-person')].find((e) => e.querySelector('.listener-name').textContent === %q)"

func TestAudienceHasFacesAndHostsActOnThem(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	ada, bo := c.person("Ada"), c.person("Bo")
	ada.opensRoom(s.url, "Radio")
	ada.click("Turn your microphone on")
	bo.follows(s.url+"/#/r/radio", "Listen in")
	ada.await(face, "Bo")
	bo.await(face, "Bo")
	assert.False(t, eval[bool](bo, "document.querySelector('.listener-person').matches('button')"), "a listener acts on nobody")
	assert.Equal(t, "B", eval[string](ada, "document.querySelector('.listener .face').textContent"))

	// The first 60 have a face, and the rest a number.
	for i := range 70 {
		attend(t, s, "radio", "listener", fmt.Sprintf("Guest %02d", i))
	}
	ada.sees("71 people listening")
	ada.await("document.querySelector('.listener-more')?.innerText.includes('+11')")
	bo.await("document.querySelector('.listener-more')?.innerText.includes('+11')")
	assert.Equal(t, 61, eval[int](bo, "document.querySelectorAll('.listener').length"))

	// A host finds those who have no face, too.
	ada.click("Find people")
	ada.sees("11 more listeners after these")
	ada.pictured(artifacts(t), "people")
	ada.fill("Name", "guest 69")
	ada.await("document.querySelectorAll('.people .menu-item').length === 1")
	ada.clickOn("document.querySelector('.people .menu-item')")
	ada.click("Remove from the room")
	ada.click("Remove")
	ada.sees("70 people listening")
	ada.click("Find people")
	ada.fill("Name", "nobody")
	ada.sees("Nobody here is called that.")
	ada.do(chromedp.KeyEvent("\x1b")) // Escape
	ada.await("!document.querySelector('dialog')")

	// And those on stage, however many there are.
	attend(t, s, "radio", "speaker", "Tom")
	ada.sees("2 on stage")
	ada.click("Find people")
	ada.fill("Name", "tom")
	ada.await("document.querySelectorAll('.people .menu-item').length === 1")
	ada.clickOn("document.querySelector('.people .menu-item')")
	ada.click("Mute")
	bo.await("document.querySelectorAll('.seat.muted').length === 1")

	// Someone whose hand is down is invited to the stage.
	ada.clickOn(fmt.Sprintf(face, "Bo"))
	ada.click("Invite to the stage")
	bo.sees("Ada invites you to the stage")
	ada.pictured(artifacts(t), "audience")
}

func TestTalkerComesForwardOnAPhoneWithAFullStage(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	cy := c.person("Cy")
	for i := range 9 {
		attend(t, s, "radio", "speaker", fmt.Sprintf("Silent %d", i))
	}
	ada := c.person("Ada")
	ada.goTo(s.url + "/#/r/radio")
	ada.fill("Your name", "Ada")
	eval[bool](ada, "(sessionStorage.setItem('earshot.role.radio', '\"speaker\"'), true)")
	ada.click("Listen in")
	ada.sees("Ada (you)")
	cy.on(phone, false)
	cy.follows(s.url+"/#/r/radio", "Listen in")
	const last = "document.querySelector('.stage').lastElementChild.querySelector('.seat-name').textContent"
	const first = "document.querySelector('.stage').firstElementChild.querySelector('.seat-name').textContent"
	cy.await(last+" === %q", "Ada")
	ada.click("Turn your microphone on")
	cy.await(first+" === %q", "Ada")
	assert.Equal(t, "Silent 0", eval[string](ada, first), "a wide screen shows all, in their order")
	cy.pictured(artifacts(t), "full-stage")
}
