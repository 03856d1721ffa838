package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An account that is deleted at one server of a cluster is gone at all of them, with its
// rooms and its sessions, wherever those are.
func TestDeletedAccountIsGoneOnEveryServer(t *testing.T) {
	t.Parallel()
	data, nodes := startCluster(t)
	rooms := makeRooms(t, nodes[0].url, data) // of the operator, at least one on each
	stdout, stderr, code := command(t, "invite", "create", "--json", "--target", nodes[0].url, "--data", data)
	require.Zero(t, code, stderr)
	var invite struct{ Code string }
	require.NoError(t, json.Unmarshal([]byte(stdout), &invite))
	status, body := get(t, http.MethodPost, nodes[1].url+"/api/invites/"+invite.Code+"/redeem", "", `{"name":"Zed"}`)
	require.Equal(t, http.StatusOK, status, body)
	var zed struct{ Token string }
	require.NoError(t, json.Unmarshal([]byte(body), &zed))
	var own []string
	for _, n := range nodes {
		status, body := get(t, http.MethodPost, n.url+"/api/rooms", zed.Token, `{"name":"Zed's"}`)
		require.Equal(t, http.StatusCreated, status, body)
		var room made
		require.NoError(t, json.Unmarshal([]byte(body), &room))
		own = append(own, room.Room)
	}
	// A plan is known everywhere, and any server opens it.
	status, body = get(t, http.MethodPost, nodes[0].url+"/api/plans", zed.Token, `{"name":"Zed's","starts_at":"`+time.Now().Add(time.Hour).Format(time.RFC3339)+`"}`)
	require.Equal(t, http.StatusCreated, status, body)
	var plan struct{ Plan string }
	require.NoError(t, json.Unmarshal([]byte(body), &plan))
	status, body = get(t, http.MethodGet, nodes[1].url+"/api/plans/"+plan.Plan, "", "")
	require.Equal(t, http.StatusOK, status, body)
	status, body = get(t, http.MethodPost, nodes[2].url+"/api/plans/"+plan.Plan+"/open", zed.Token, "")
	require.Equal(t, http.StatusCreated, status, body)
	status, body = get(t, http.MethodPost, nodes[1].url+"/api/plans/"+plan.Plan+"/open", zed.Token, "")
	require.Equal(t, http.StatusConflict, status, body)
	own = append(own, plan.Plan)
	socket, joined, _ := joinAt(t, nodes[1].url, own[0], zed.Token)
	require.Equal(t, "joined", joined["type"], joined)
	defer socket.Close()

	status, body = get(t, http.MethodDelete, nodes[2].url+"/api/me", zed.Token, "")
	require.Equal(t, http.StatusNoContent, status, body)
	require.NoError(t, socket.SetReadDeadline(time.Now().Add(time.Minute)))
	for err := error(nil); err == nil; {
		var m map[string]any
		err = socket.ReadJSON(&m) // until the server ends it
	}
	for i, n := range nodes {
		status, _ := get(t, http.MethodGet, n.url+"/api/me", zed.Token, "")
		assert.Equal(t, http.StatusUnauthorized, status, "server %d knows the account", i)
		assert.Eventually(t, func() bool {
			status, _ := get(t, http.MethodGet, n.url+"/api/plans/"+plan.Plan, "", "")
			return status == http.StatusNotFound
		}, time.Minute, 20*time.Millisecond, "server %d has a plan of the account", i)
		for _, room := range own {
			assert.Eventually(t, func() bool {
				status, _ := get(t, http.MethodGet, n.url+"/api/rooms/"+room, rooms[0].HostToken, "")
				return status == http.StatusNotFound
			}, time.Minute, 20*time.Millisecond, "server %d has a room of the account", i)
		}
	}
}
