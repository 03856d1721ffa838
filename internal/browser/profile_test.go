package browser_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A member gives herself another name, words and a picture, which the page makes small. Another sees
// them on stage and in the audience, follows her, and finds her from the first page.
func TestProfileIsSeenAndFollowed(t *testing.T) {
	t.Parallel()
	s, c, operator := club(t)
	dir := artifacts(t)
	ada, bo := c.person("Ada Okafor"), c.person("Bo")
	ada.joinsClub(operator)
	bo.joinsClub(operator)

	ada.click("Your profile")
	// A picture twice as wide as high, as one would choose it.
	ada.await(`new Promise((done) => {
		const canvas = Object.assign(document.createElement('canvas'), {width: 1200, height: 600});
		const c = canvas.getContext('2d');
		c.fillStyle = '#e8b04b'; c.fillRect(0, 0, 1200, 600);
		c.fillStyle = '#30415d'; c.beginPath(); c.arc(600, 260, 150, 0, 7); c.fill(); c.fillRect(400, 440, 400, 160);
		canvas.toBlob((blob) => {
			const chosen = new DataTransfer();
			chosen.items.add(new File([blob], 'me.png', {type: 'image/png'}));
			const field = document.querySelector('#profile-picture');
			field.files = chosen.files;
			done(field.dispatchEvent(new Event('change')));
		});
	})`)
	ada.await("document.querySelector('.profile-face img')?.naturalWidth === 256")
	ada.fill("A few words about you", "Radio, tea and long walks")
	ada.fill("Your name", "Ada O. Okafor")
	ada.pictured(dir, "profile-dialog")
	ada.click("Save")
	ada.await("!document.querySelector('dialog')")
	ada.sees("You are a member, Ada O. Okafor")
	ada.fill("What is it about?", "Friday night radio")
	ada.choose("Who may come in?", "members")
	ada.click("Open the room")
	ada.sees("Ada O. Okafor (you)")
	ada.click("Turn your microphone on")
	ada.await("document.querySelector('.seat.talking')")

	bo.goTo(s.url)
	bo.click("Friday night radio Ada O. Okafor · 0 listeners AO")
	bo.click("Listen in")
	bo.await("document.querySelector('.seat img')?.naturalWidth === 256")
	ada.click("Applaud")
	bo.await("document.querySelector('.seat .clap')")
	bo.await("!document.querySelector('.clap')")
	bo.picks("Ada O. Okafor")
	bo.sees("Radio, tea and long walks")
	bo.click("Follow")
	bo.click("Following") // and not any more
	bo.click("Follow")
	bo.await("document.querySelector('dialog [aria-pressed=true]')")
	bo.pictured(dir, "profile")
	assert.Zero(t, eval[int](bo, "document.querySelectorAll('dialog .menu-item').length"), "who is no host has nothing to do to her")
	bo.click("Close")
	bo.sees("Host, you follow")
	bo.goTo(s.url)
	bo.sees("On stage in Friday night radio")
	bo.pictured(dir, "following")

	// In an audience she is found too, from the first page and in the room.
	operator.fill("What is it about?", "Late night")
	operator.fill("Your name", operator.name)
	operator.choose("Who may come in?", "members")
	operator.click("Open the room")
	operator.sees("Ada (you)")
	ada.goTo(s.url)
	ada.click("Late night Ada · 0 listeners A")
	ada.click("Listen in")
	operator.sees("1 listener")
	bo.goTo(s.url)
	bo.click("Ada O. Okafor Listening in Late night AO")
	bo.click("Listen in")
	bo.await("document.querySelector('.listener.followed img')?.naturalWidth === 256")
	bo.clickOn(fmt.Sprintf(face, "Ada O. Okafor"))
	bo.sees("Radio, tea and long walks")
	bo.await("document.querySelector('dialog [aria-pressed=true]')")
	assert.Zero(t, eval[int](bo, "document.querySelectorAll('dialog .menu-item').length"))
	bo.click("Following")
	bo.click("Close")
	bo.await("document.querySelector('.listener') && !document.querySelector('.listener.followed')")
}
