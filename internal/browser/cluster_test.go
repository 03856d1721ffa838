package browser_test

import (
	"encoding/json"
	"net/http"
	"syscall"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asOperator makes a request with the operator's token and reads the answer, if there is one.
func asOperator(t *testing.T, method, url string, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+operatorToken)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 2, resp.StatusCode/100, url)
	if into != nil {
		require.NoError(t, json.NewDecoder(resp.Body).Decode(into))
	}
}

// twoNodes starts two servers of a cluster. The first is for so many people.
func twoNodes(t *testing.T, seats string) (first, second *server) {
	t.Helper()
	nats, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true})
	require.NoError(t, err)
	nats.Start()
	t.Cleanup(func() { nats.Shutdown(); nats.WaitForShutdown() })
	require.True(t, nats.ReadyForConnections(time.Minute))
	node := func(flags ...string) *server {
		return serve(t, append(flags, "--operator-token", operatorToken, "--data", t.TempDir(), "--cluster", "--nats", nats.ClientURL())...)
	}
	return node("--seats", seats), node()
}

// placesElsewhere has a node get no rooms and no ears.
func (s *server) placesElsewhere() { s.drain(http.MethodPost) }

// placesAgain has a node placed on again, and returns when the other has heard so.
func (s *server) placesAgain() {
	s.drain(http.MethodDelete)
	time.Sleep(2 * time.Second) // it has by then
}

// drain begins or ends that a node is drained.
func (s *server) drain(method string) {
	var list struct {
		Nodes []struct{ Node, URL string }
	}
	asOperator(s.t, http.MethodGet, s.url+"/api/nodes", &list)
	for _, n := range list.Nodes {
		if n.URL == s.url {
			asOperator(s.t, method, s.url+"/api/nodes/"+n.Node+"/drain", nil)
		}
	}
}

// opensRoomAsOperator opens a room on a page of a server.
func (p *person) opensRoomAsOperator(url string) {
	p.t.Helper()
	p.signsInAsOperator(url)
	p.opensClosedRoom("Board meeting")
}

// TestPageFollowsARoomToItsNode has a page of one node open a room that is placed on another,
// and somebody come in by its invite: their WebSockets and their audio go there.
func TestPageFollowsARoomToItsNode(t *testing.T) {
	t.Parallel()
	first, second := twoNodes(t, "100")
	first.placesElsewhere()
	front, back := first.url, second.url

	c := sharedChromium(t)
	said := envelopeOf(clip(t, "speech.ogg"))
	ada := c.person("Ada")
	ada.opensRoomAsOperator(front)
	var rooms struct {
		Nodes []struct {
			URL          string
			Taken, Rooms int
		}
	}
	asOperator(t, http.MethodGet, back+"/api/nodes", &rooms)
	for _, n := range rooms.Nodes {
		if n.URL == back {
			assert.Equal(t, 1, n.Rooms, "the room is there")
			assert.Equal(t, 1, n.Taken, "and its host")
		}
	}
	bo := c.person("Bo")
	bo.follows(ada.invites(), "Come in")
	bo.sees("Board meeting")
	bo.hears(said)
	assert.Contains(t, eval[string](bo, "location.origin"), front, "the page is still the first node's")
}

// TestPageFollowsARoomThatMoves stops the node that has a room: the pages of those in it have their audio from the other
// node then, and whoever was on stage is heard there.
func TestPageFollowsARoomThatMoves(t *testing.T) {
	t.Parallel()
	first, second := twoNodes(t, "100")
	first.placesElsewhere()
	c := sharedChromium(t)
	said := envelopeOf(clip(t, "speech.ogg"))
	ada := c.person("Ada")
	ada.opensRoomAsOperator(first.url)
	bo := c.person("Bo")
	bo.follows(ada.invites(), "Come in")
	bo.hears(said)
	bo.await("(%s.then((at) => at === %q))", far, second.media)

	first.placesAgain()
	require.NoError(t, second.cmd.Process.Signal(syscall.SIGTERM))
	bo.await("(%s.then((at) => at === %q))", far, first.media)
	bo.hears(said)
	ada.sees("1 on stage · 1 listener")
}

// TestListenerOfADrainedOrKilledNodeHearsAgain drains the node that has a listener's ear, and no more,
// and kills it when it has another's: the pages open other ears, and nobody else notices.
func TestListenerOfADrainedOrKilledNodeHearsAgain(t *testing.T) {
	t.Parallel()
	room, ears := twoNodes(t, "1")
	ears.placesElsewhere()
	c := sharedChromium(t)
	said := envelopeOf(clip(t, "speech.ogg"))
	ada := c.person("Ada")
	ada.opensRoomAsOperator(room.url)
	comesIn := func(name string) *person {
		ears.placesAgain()
		p := c.person(name)
		p.follows(ada.invites(), "Come in")
		p.hears(said)
		assert.Equal(t, ears.media, eval[string](p, far), "the audio comes from the node that has not the room")
		return p
	}
	cy := comesIn("Cy")
	ears.placesElsewhere()
	cy.await("(%s.then((at) => at === %q))", far, room.media)
	cy.hears(said)

	bo := comesIn("Bo")
	require.NoError(t, ears.cmd.Process.Kill())
	killed := time.Now()
	<-ears.done
	_ = ears.cmd.Wait() // it was killed
	ears.cmd = nil
	bo.await("(%s.then((at) => at === %q))", far, room.media)
	t.Logf("the page has its audio from another node %v after the kill", time.Since(killed).Round(10*time.Millisecond))
	bo.hears(said)
	bo.sees("Board meeting")
	ada.sees("1 on stage · 2 listeners")
}

// far is where the packets of the ear come from.
const far = `(async () => {
  const stats = [...(await ear().getStats()).values()];
  const pair = stats.find((s) => s.type === "candidate-pair" && s.state === "succeeded" && s.bytesReceived > 0);
  const there = pair && stats.find((s) => s.id === pair.remoteCandidateId);
  return there ? there.address + ":" + there.port : "";
})()`
