package browser_test

import (
	"encoding/json"
	"net/http"
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

// TestPageFollowsARoomToItsNode has a page of one node open a room that is placed on another,
// and somebody come in by its invite: their WebSockets and their audio go there.
func TestPageFollowsARoomToItsNode(t *testing.T) {
	t.Parallel()
	nats, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true})
	require.NoError(t, err)
	nats.Start()
	t.Cleanup(func() { nats.Shutdown(); nats.WaitForShutdown() })
	require.True(t, nats.ReadyForConnections(time.Minute))
	node := func() (url string) {
		return serve(t, "--operator-token", operatorToken, "--data", t.TempDir(), "--cluster", "--nats", nats.ClientURL()).url
	}
	front, back := node(), node()
	var list struct {
		Nodes []struct{ Node, URL string }
	}
	asOperator(t, http.MethodGet, front+"/api/nodes", &list)
	for _, n := range list.Nodes {
		if n.URL == front {
			asOperator(t, http.MethodPost, front+"/api/nodes/"+n.Node+"/drain", nil)
		}
	}

	c := sharedChromium(t)
	said := envelopeOf(clip(t, "speech.ogg"))
	ada := c.person("Ada")
	ada.goTo(front)
	ada.fill("Your key", operatorToken)
	ada.click("Use this key")
	ada.sees("You hold the operator’s key")
	ada.opensClosedRoom("Board meeting")
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
