package browser_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTitleIsKeptAsTyped(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	ada := c.person("Ada")
	titles := []string{"Über-Ärger in Straße", "مرحبا", "日本語", "C++", "C#"}
	for _, title := range titles {
		ada.opensRoom(s.url, title)
		assert.Equal(t, title, eval[string](ada, "document.querySelector('h1').textContent"))
	}
	ada.goTo(s.url)
	for _, title := range titles {
		ada.sees(title)
	}

	// On a server that asks for invites they are as typed, too, and any of them may be taken twice.
	closed, _, bo := club(t)
	for _, title := range append(titles, "C#") {
		bo.goTo(closed.url)
		bo.fill("What is it about?", title)
		bo.fill("Your name", bo.name)
		bo.click("Open the room")
		bo.sees(bo.name + " (you)")
		assert.Equal(t, title, eval[string](bo, "document.querySelector('h1').textContent"))
	}
}

func TestRoomThatIsNotOpenIsNotMadeByLooking(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	bo := c.person("Bo")
	bo.goTo(s.url + "/#/r/mistyped")
	bo.sees("This room isn’t open")
	assert.False(t, eval[bool](bo, "fetch('/api/rooms/mistyped').then((r) => r.ok)"))
	bo.fill("Your name", "Bo")
	bo.click("Open it")
	bo.sees("Bo (you)")
	assert.Equal(t, "host", eval[string](bo, "fetch('/api/rooms/mistyped').then((r) => r.json()).then((room) => room.stage[0].role)"))
}

func TestOnlyHostIsAskedBeforeTheyLeave(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	ada, bo := c.person("Ada"), c.person("Bo")
	ada.opensRoom(s.url, "Radio")
	bo.follows(s.url+"/#/r/radio", "Listen in")
	attend(t, s, "radio", "speaker", "Cy")
	ada.sees("Cy")
	ada.sees("1 listener")
	ada.click("Leave quietly")
	ada.sees("If you just leave, Cy becomes host.")
	ada.click("Make Cy host and leave")
	bo.await("document.querySelector('.seat.host .seat-name')?.textContent === 'Cy'")
	ada.sees("You left quietly")

	eve := c.person("Eve")
	eve.opensRoom(s.url, "Late night")
	bo.goTo(s.url + "/#/r/late-night")
	bo.click("Listen in")
	eve.sees("1 listener")
	eve.click("Leave quietly")
	eve.sees("the room waits half a minute for a host")
	eve.click("Just leave")
	bo.sees("Eve left. The room waits for a host.")
}

func TestNowhereIsAPageWithAWayBack(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	ada := sharedChromium(t).person("Ada")
	ada.goTo(s.url + "/r/mistyped")
	ada.sees("There is nothing here")
	ada.pictured(artifacts(t), "nowhere")
	ada.clickOn("document.querySelector('a.button')")
	ada.await("document.querySelector('#title')") // of a room to open
}
