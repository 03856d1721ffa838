package browser_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// takesRole has the tab come into a room of an open server in a role.
func (p *person) takesRole(url, room, role string) {
	p.t.Helper()
	p.goTo(url + "/#/r/" + room)
	p.fill("Your name", p.name)
	eval[bool](p, "(sessionStorage.setItem('earshot.role.%s', '\"%s\"'), true)", room, role)
	p.clickOn("document.querySelector('.gate .primary')")
	p.sees(p.name + " (you)")
}

// goesBack presses the browser's back button.
func (p *person) goesBack() {
	p.t.Helper()
	eval[bool](p, "(history.back(), true)")
}

// looksAgain has the person come back to the tab, which looks again then, and every so often.
func (p *person) looksAgain() {
	p.t.Helper()
	eval[bool](p, "document.dispatchEvent(new Event('visibilitychange'))")
}

// There are more ways out of a room than its button.
func TestOnlyHostIsAskedWhicheverWayTheyLeave(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	ada, bo := c.person("Ada"), c.person("Bo")
	ada.opensRoom(s.url, "Radio")
	ada.goesBack() // nobody depends on her
	ada.sees("Happening now")
	ada.opensRoom(s.url, "Radio")
	radio := eval[string](ada, "location.hash")
	bo.follows(s.url+"/"+radio, "Listen in")
	ada.sees("1 listener")
	eval[bool](ada, "(location.hash = '#/', true)") // as a bookmark does
	ada.sees("the room waits half a minute for a host")
	ada.goesBack()
	ada.await("document.querySelectorAll('dialog[open]').length === 1")
	ada.click("Close")
	assert.Equal(t, radio, eval[string](ada, "location.hash"))
	ada.sees("1 on stage · 1 listener")

	ada.picks("Ada (you)")
	ada.click("Go back to the audience")
	ada.sees("If you just go to the audience, the room waits half a minute for a host")
	ada.click("Close")
	attend(t, s, strings.TrimPrefix(radio, "#/r/"), "speaker", "Cy")
	ada.sees("2 on stage")
	ada.picks("Ada (you)")
	ada.click("Go back to the audience")
	ada.click("Make Cy host and go to the audience")
	ada.sees("You are back in the audience")
	bo.await("document.querySelector('.seat.host .seat-name')?.textContent === 'Cy'")
	ada.goesBack() // the room has another host
	ada.sees("Happening now")

	ada.opensRoom(s.url, "Late night")
	bo.goTo(s.url + "/#/r/late-night")
	assert.Zero(t, bo.asked.Load(), "a listener is not asked")
	bo.click("Listen in")
	ada.sees("1 listener")
	assert.Zero(t, ada.asked.Load())
	ada.goTo(s.url) // which closes the page that she is on
	assert.EqualValues(t, 1, ada.asked.Load(), "the browser asks")
	bo.sees("Ada left. The room waits for a host.")
}

// What is open over a room goes with it, whatever one was doing there.
func TestDialogsGoWithTheirRoom(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	ada, bo := c.person("Ada"), c.person("Bo")
	ada.opensRoom(s.url, "Radio")
	bo.takesRole(s.url, "radio", "host")
	bo.click("Find people")
	bo.fill("Name", "Ad")
	ada.picks("Bo")
	ada.click("Remove from the room")
	ada.click("Remove")
	bo.sees("You were put out of this room")
	bo.await("!document.querySelector('dialog[open]') && document.activeElement.tagName === 'H1'")

	cy := c.person("Cy")
	cy.follows(s.url+"/#/r/radio", "Listen in")
	cy.click("Invite people")
	cy.await("document.querySelector('#link')?.value")
	ada.sees("1 listener")
	eval[bool](cy, "(location.hash = '#/', true)") // as the back button does
	cy.await("document.querySelector('.home') && !document.querySelector('dialog[open]')")
	cy.follows(s.url+"/#/r/radio", "Listen in")
	ada.sees("1 listener")
	cy.click("Invite people")
	ada.click("End")
	ada.click("End the room")
	cy.sees("It is over for everybody")
	cy.await("!document.querySelector('dialog[open]')")
}

// People call rooms and themselves all kinds of things. What they wrote is shown as they wrote it,
// on pages that stay whole.
func TestTitlesAndNamesOfEveryKind(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	c := sharedChromium(t)
	dir := artifacts(t)
	rooms := []struct {
		why, title, name, want string
		meet                   bool // the name is looked at in menus, questions and notes, too
	}{
		{why: "right to left, with digits and marks", title: "שלום! 3 קולות", name: "נועה (1)", meet: true},
		{why: "both ways", title: "Jazz في القاهرة live", name: "ليلى O’Neill"},
		{why: "emoji of several parts", title: "👩‍👩‍👧‍👦 Cymru 🏴󠁧󠁢󠁷󠁬󠁳󠁿 1️⃣", name: "🎙️"},
		{why: "what looks like HTML", title: "<b>Bold</b> & <img src=x onerror=alert(1)>", name: `"><script>alert(1)</script>`},
		{why: "as long as it may be, in one word", title: strings.Repeat("W", 60), name: strings.Repeat("M", 80), meet: true},
		{why: "marks of direction that came along", title: "\u2068Late\u2069 night\u200f", name: "Ada\u200b", want: "Late night"},
	}
	bo := c.person("Bo")
	for _, r := range rooms {
		ada := c.person(r.name)
		ada.on(phone, false)
		ada.goTo(s.url)
		ada.fill("What is it about?", r.title)
		ada.fill("Your name", r.name)
		ada.click("Open the room")
		ada.await("document.querySelector('.seat.own')")
		if r.want == "" {
			r.want = r.title
		}
		assert.Equal(t, r.want, eval[string](ada, "document.querySelector('h1').textContent"), r.why)
		ada.whole(r.why + ": the room")
		ada.inLine("h1", ".room-counts")
		bo.goTo(eval[string](ada, "location.href"))
		bo.await("document.querySelector('h1')?.textContent === %s", inScript(t, r.want))
		bo.on(phone, false)
		bo.whole(r.why + ": its door")
		if r.meet {
			ada.meets(bo, r.name)
		}
	}
	bo.goTo(s.url)
	for _, r := range rooms {
		if r.want == "" {
			r.want = r.title
		}
		bo.await("[...document.querySelectorAll('.room-item strong')].some((e) => e.textContent === %s)", inScript(t, r.want))
	}
	bo.whole("the hallway")
	bo.inLine(".room-item strong", ".room-item .quiet")
	bo.shot(dir, "kinds")

	// Spaces are no title, and no name.
	bo.goTo(s.url)
	bo.fill("What is it about?", "   ")
	bo.fill("Your name", "\u3000")
	bo.click("Open the room")
	bo.await("document.querySelector('#title').matches(':invalid') && document.querySelector('#name').matches(':invalid')")
}

// meets has a host look at everything that has the name of somebody who comes to the stage. They stay.
func (p *person) meets(guest *person, name string) {
	p.t.Helper()
	guest.fill("Your name", name)
	guest.click("Listen in")
	p.clickOn("document.querySelector('.listener-person')")
	p.whole("a menu")
	p.click("Remove from the room")
	p.whole("a question")
	p.click("Cancel")
	p.clickOn("document.querySelector('.listener-person')")
	p.click("Invite to the stage")
	guest.await("document.querySelector('.banner.invitation')")
	guest.whole("an invitation")
	guest.click("Come on stage")
	p.await("document.querySelectorAll('.seat').length === 2")
	p.click("Leave quietly")
	p.whole("who is to be host")
	p.click("Close")
}

// inLine requires that texts begin where those below them do, whichever way they run.
func (p *person) inLine(texts, below string) {
	p.t.Helper()
	const edges = `[...document.querySelectorAll(%q)].map((e) => {
		const range = document.createRange();
		range.selectNodeContents(e);
		return Math.round(range.getBoundingClientRect().left);
	})`
	assert.InDeltaSlice(p.t, eval[[]float64](p, edges, texts), eval[[]float64](p, edges, below), 2, "%s and %s", texts, below)
}

// inScript writes a text as a script does. Go's %q writes what is beyond the first plane in another way.
func inScript(t *testing.T, text string) string {
	t.Helper()
	written, err := json.Marshal(text)
	require.NoError(t, err)
	return string(written)
}

// whole requires that nothing leaves the screen or the box that it stands in.
func (p *person) whole(where string) {
	p.t.Helper()
	p.settled()
	p.fits(where)
	assert.Empty(p.t, eval[[]string](p, outside), "%s: outside its box", where)
}

// A link that was mistyped, cut off or copied with what stood beside it.
func TestLinksThatAreNotQuiteRight(t *testing.T) {
	t.Parallel()
	s, c, ada := club(t)
	ada.opensClosedRoom("Board meeting")
	link := ada.invites()
	for _, row := range []struct{ why, link, sees string }{
		{"the end of a sentence", link + ".", "Board meeting"},
		{"in brackets", link + ")", "Board meeting"},
		{"one letter too few", link[:len(link)-1], "This invite is no longer good"},
		{"nothing of its code", s.url + "/#/i/", "There is no such room"},
		{"another kind of link", s.url + "/#/z/abc", "There is no such room"},
		{"half an escape", s.url + "/#/r/%E0%A4%A", "There is no such room"},
		{"without the fragment", s.url + "/i/abc", "There is nothing here"},
	} {
		bo := c.person("Bo, with " + row.why)
		bo.goTo(row.link)
		bo.sees(row.sees)
	}
}

// Reloading and going back lead to where one was, and never in a circle.
func TestReloadAndBackKeepOnesPlace(t *testing.T) {
	t.Parallel()
	s, c, ada := club(t)
	ada.click("Invite to the club")
	ada.await("document.querySelector('#link')?.value")
	toClub := eval[string](ada, "document.querySelector('#link').value")
	ada.click("Close")
	ada.opensClosedRoom("Board meeting")

	// A new member who reloads before they have kept their key is shown it again, and then no more.
	cy := c.person("Cy")
	cy.goTo(toClub)
	cy.fill("Your name", "Cy")
	cy.click("Become a member")
	cy.await("document.querySelector('#key')?.value")
	key := eval[string](cy, "document.querySelector('#key').value")
	cy.do(chromedp.Reload())
	cy.await("document.querySelector('#key')?.value === %q", key)
	cy.click("Copy")
	cy.await("document.querySelector('.toast')") // it says that it has, or how one does
	cy.click("I have kept it")
	cy.sees("You are a member, Cy")
	cy.do(chromedp.Reload())
	cy.sees("You are a member, Cy")
	assert.NotContains(t, eval[string](cy, "JSON.stringify([{...localStorage}, {...sessionStorage}])"), key, "nor is it kept")

	// An invite that was used leads into its room, and back is where one came from.
	link := ada.invites()
	bo := c.person("Bo")
	bo.follows(link, "Come in")
	bo.sees("1 listener")
	bo.goTo(s.url + "/nowhere")
	eval[bool](bo, "(location.href = %q, true)", link)
	bo.sees("Listen in")
	assert.Contains(t, eval[string](bo, "location.hash"), "#/r/")
	bo.goesBack()
	bo.sees("There is nothing here")

	// Whoever was brought to the stage is told so when they come back, and so is one who was not.
	bo.goTo(link)
	bo.sees("You come in as a listener")
	bo.click("Listen in")
	bo.click("Raise your hand")
	ada.click("Raised hands: 1")
	ada.click("Invite Bo to the stage")
	bo.click("Come on stage")
	bo.sees("Bo (you)")
	bo.do(chromedp.Reload())
	bo.sees("A place on stage is held for you")
	bo.click("Go in")
	bo.sees("Bo (you)")
	ada.sees("2 on stage")
}

// A page that finds no server says so, and is there by itself as soon as there is one.
func TestPageWithoutServerTriesAgain(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	bo := sharedChromium(t).person("Bo")
	bo.goTo(s.url)
	bo.sees("All is quiet")
	s.stop()
	for _, hash := range []string{"#/r/radio", "#/"} {
		eval[bool](bo, "(location.hash = %q, true)", hash)
		bo.await("document.title.startsWith('The server can’t be reached')")
	}
	s.again()
	eval[bool](bo, "dispatchEvent(new Event('online'))")
	bo.sees("All is quiet")
}

// On a phone the rooms come first, and a button at the bottom leads to what opens another.
func TestHallwayOnAPhoneHasTheRoomsFirst(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open")
	for i := range 8 {
		attend(t, s, fmt.Sprintf("room-%d", i), "speaker", fmt.Sprintf("Somebody %d", i))
	}
	c := ownChromium(t, "speech.ogg") // the focus is one window's
	ada := c.person("Ada")
	ada.on(phone, false)
	ada.goTo(s.url)
	ada.sees("Happening now")
	const top = "document.querySelector(%q).getBoundingClientRect().top"
	assert.Less(t, eval[float64](ada, top, ".rooms"), eval[float64](ada, top, ".form"))
	ada.await("!document.querySelector('.start-bar').hidden")
	ada.pictured(artifacts(t), "hallway-full")
	ada.on(phone, false)
	ada.click("Open a room")
	ada.await("document.querySelector('.start-bar').hidden && document.activeElement.id === 'title'")
	ada.fill("What is it about?", "Radio")
	ada.fill("Your name", "Ada")
	ada.click("Open the room")
	ada.sees("Ada (you)")
	ada.goTo(s.url)
	ada.on(desktop, false)
	ada.await("!document.querySelector('.start-bar').checkVisibility()") // a wide screen shows both

	// What opens meanwhile is there without reloading, and what has the focus keeps it.
	const first = "document.querySelector('.room-item')"
	at := eval[string](ada, "("+first+".focus(), document.activeElement.dataset.to)")
	attend(t, s, "late", "speaker", "Lea")
	ada.looksAgain()
	ada.sees("Lea")
	assert.Equal(t, at, eval[string](ada, "document.activeElement.dataset.to"))
}
