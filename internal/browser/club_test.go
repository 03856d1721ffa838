package browser_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const operatorToken = "the operator of these tests"

// club is a server that asks for invites, and its operator.
func club(t *testing.T) (s *server, c *testBrowser, operator *person) {
	t.Helper()
	s = serve(t, "--operator-token", operatorToken, "--data", t.TempDir())
	c = sharedChromium(t)
	operator = c.person("Ada")
	operator.signsInAsOperator(s.url)
	return s, c, operator
}

// signsInAsOperator opens the page of a server that asks for invites.
func (p *person) signsInAsOperator(url string) {
	p.t.Helper()
	p.goTo(url)
	p.sees("This house is by invitation")
	p.fill("Login key or operator’s token", operatorToken)
	p.click("Sign in")
	p.sees("You are the operator")
}

// opensClosedRoom opens one that takes an invite, and speaks.
func (p *person) opensClosedRoom(title string) {
	p.t.Helper()
	p.fill("What is it about?", title)
	p.fill("Your name", p.name)
	p.choose("Who may come in?", "closed")
	p.click("Open the room")
	p.sees(p.name + " (you)")
	p.click("Turn your microphone on")
	p.await("document.querySelector('.seat.talking')")
}

func TestInviteLetsGuestInAndSecondTabEndsFirst(t *testing.T) {
	t.Parallel()
	_, c, ada := club(t)
	said := envelopeOf(clip(t, "speech.ogg"))
	ada.opensClosedRoom("Board meeting")
	link := ada.invites()
	assert.Contains(t, link, "/#/i/", "the code stays out of logs and referrers")

	bo := c.person("Bo")
	bo.follows(link, "Come in")
	bo.sees("Board meeting")
	assert.False(t, eval[bool](bo, "document.querySelector('[aria-label=\"Invite people\"]').checkVisibility()"), "hosts invite")
	bo.hears(said)
	assert.NotContains(t, eval[string](bo, "location.href"), "/i/", "the code does not stay in the address")

	again := c.tab(bo)
	again.goTo(link)
	again.click("Listen in")
	again.hears(said)
	bo.sees("You are listening somewhere else")
	bo.await("connections.every((c) => c.signalingState === 'closed')")
	ada.sees("1 on stage · 1 listener")
	bo.click("Listen here instead")
	bo.click("Listen in")
	bo.hears(said)
	again.sees("You are listening somewhere else")
}

// Who has signed in as the operator sees the whole server, without being asked again.
func TestOperatorWhoHasSignedInSeesTheServer(t *testing.T) {
	t.Parallel()
	s, c, ada := club(t)
	ada.opensClosedRoom("Board meeting")
	other := c.tab(ada)
	other.goTo(s.url)
	other.clickOn("document.querySelector('a[href=\"/operator\"]')")
	other.sees("What this server does")
	other.sees("Board meeting")
	other.clickOn("document.querySelector('a[href=\"/\"]')")
	other.sees("You are the operator")
}

func TestClosedRoomLooksLikeMissingRoom(t *testing.T) {
	t.Parallel()
	s, c, ada := club(t)
	ada.opensClosedRoom("Board meeting")
	room := strings.TrimPrefix(eval[string](ada, "location.hash"), "#/r/")
	require.NotEmpty(t, room)
	none := strings.Repeat("a", len(room))

	dee := c.person("Dee") // has nothing
	dee.goTo(s.url + "/#/r/" + room)
	dee.sees("You need an invite")
	closed := dee.page()
	dee.goTo(s.url + "/#/r/" + none)
	dee.sees("You need an invite")
	assert.Equal(t, closed, dee.page())

	cy := c.person("Cy") // is a member of the club
	other := c.tab(ada)
	other.goTo(s.url)
	other.click("Invite to the club")
	other.await("document.querySelector('#link')?.value")
	cy.goTo(eval[string](other, "document.querySelector('#link').value"))
	cy.fill("Your name", "Cy")
	cy.click("Become a member")
	cy.click("I have kept it")
	cy.sees("You are a member, Cy")
	cy.sees("All is quiet")
	cy.goTo(s.url + "/#/r/" + room)
	cy.sees("There is no such room")
	closed = cy.page()
	cy.goTo(s.url + "/#/r/" + none)
	cy.sees("There is no such room")
	assert.Equal(t, closed, cy.page())

	// A link that was used up says no more than one that never was.
	cy.goTo(s.url + "/#/i/" + none)
	cy.sees("This invite is no longer good")
}

func TestRestartedClubRestoresRoles(t *testing.T) {
	t.Parallel()
	s, c, ada := club(t)
	said := envelopeOf(clip(t, "speech.ogg"))
	ada.opensClosedRoom("Board meeting")
	bo := c.person("Bo")
	bo.follows(ada.invites(), "Come in")
	bo.hears(said)
	s.stop()
	bo.sees("Reconnecting…")
	s.again()
	ada.sees("1 on stage · 1 listener")
	ada.sees("Host")
	bo.hears(said)
}

// clubInvite is a link that makes somebody a member, made by the operator without a browser.
func (s *server) clubInvite() string {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodPost, s.url+"/api/invites", strings.NewReader("{}"))
	require.NoError(s.t, err)
	request.Header.Set("Authorization", "Bearer "+operatorToken)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	defer func() { _ = response.Body.Close() }()
	var invite struct{ URL string }
	require.NoError(s.t, json.NewDecoder(response.Body).Decode(&invite))
	require.NotEmpty(s.t, invite.URL, response.Status)
	return invite.URL
}

// joinsClub makes somebody a member, by an invite of the operator.
func (p *person) joinsClub(operator *person) {
	p.t.Helper()
	operator.click("Invite to the club")
	operator.await("document.querySelector('#link')?.value")
	link := eval[string](operator, "document.querySelector('#link').value")
	operator.click("Close")
	p.goTo(link)
	p.fill("Your name", p.name)
	p.click("Become a member")
	p.click("I have kept it")
	p.sees("You are a member, " + p.name)
}

func TestMemberDeletesTheirAccountFromThePage(t *testing.T) {
	t.Parallel()
	s, c, ada := club(t)
	cy := c.person("Cy")
	cy.joinsClub(ada)

	cy.click("What is stored about me")
	cy.sees(`"name": "Cy"`)
	cy.sees("invite.redeem")
	cy.pictured(artifacts(t), "stored")
	cy.click("Close")

	cy.click("Delete my account")
	cy.sees("nobody can bring them back")
	cy.click("Cancel")
	cy.sees("You are a member, Cy")
	cy.click("Delete my account")
	cy.click("Delete it")
	cy.sees("This house is by invitation")
	const kept = "Object.keys(localStorage).length + Object.keys(sessionStorage).length"
	assert.Zero(t, eval[int](cy, kept), "the browser keeps nothing either")

	// A device that forgets somebody keeps no seat of theirs in a room.
	ada.opensClosedRoom("Board meeting")
	room := eval[string](ada, "location.href")
	ada.goTo(s.url)
	ada.click("Forget me on this device")
	ada.sees("The operator’s token brings you in again")
	ada.click("Cancel")
	ada.sees("You are the operator")
	ada.click("Forget me on this device")
	ada.click("Forget me")
	ada.sees("This house is by invitation")
	assert.Zero(t, eval[int](ada, kept))
	ada.goTo(room)
	ada.sees("You need an invite")
}
