package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// serveNATS serves as a NATS server until standard input ends. spec is its port and the
// directory of what it keeps.
func serveNATS(spec string) {
	port, dir, _ := strings.Cut(spec, " ")
	number, err := strconv.Atoi(port)
	if err != nil {
		panic(err)
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: number, JetStream: true, StoreDir: dir, NoSigs: true, SyncAlways: true})
	if err != nil {
		panic(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		panic("the NATS server is not ready")
	}
	fmt.Println(s.ClientURL())
	_, _ = io.Copy(io.Discard, os.Stdin) // it ends with the test, however that ends
}

// clusterNode is a server of a cluster.
type clusterNode struct {
	url  string
	stop func() int
}

// startCluster starts a NATS server and three servers that share it. It returns the data
// directory of the first, which has the operator's token.
func startCluster(t *testing.T) (data string, nodes []clusterNode) {
	t.Helper()
	external, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, SyncAlways: true})
	require.NoError(t, err)
	external.Start()
	t.Cleanup(func() { external.Shutdown(); external.WaitForShutdown() })
	require.True(t, external.ReadyForConnections(time.Minute))
	data = t.TempDir()
	for i := range 3 {
		own := data
		if i > 0 { // another machine's, which learns the digest of the operator's token from the first
			own = t.TempDir()
		}
		url, stop := served(t, "--data", own, "--nats", external.ClientURL(), "--cluster", "--rate-limit-exempt", "127.0.0.0/8")
		end := sync.OnceValue(stop)
		t.Cleanup(func() { assert.Zero(t, end()) })
		nodes = append(nodes, clusterNode{url, end})
	}
	return data, nodes
}

// roomsOf adds up the rooms of some nodes, each of which says how many it has, or had a moment ago.
func roomsOf(t *testing.T, data string, nodes ...clusterNode) (rooms int) {
	t.Helper()
	for _, node := range nodes {
		for _, n := range nodesOf(t, node.url, data) {
			if n.URL == node.url {
				rooms += n.Rooms
			}
		}
	}
	return rooms
}

// nodesOf asks a server for the nodes of its cluster.
func nodesOf(t *testing.T, url, data string) (nodes []struct {
	ID       string `json:"node"`
	URL      string
	Rooms    int
	Draining bool
}) {
	t.Helper()
	stdout, stderr, code := command(t, "node", "list", "--json", "--target", url, "--data", data)
	require.Zero(t, code, stderr)
	var list struct{ Nodes json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(stdout), &list))
	require.NoError(t, json.Unmarshal(list.Nodes, &nodes))
	return nodes
}

// said sends a message over a WebSocket and returns the answer to it.
func said(t *testing.T, socket *websocket.Conn, message map[string]any) map[string]any {
	t.Helper()
	message["id"] = message["type"]
	require.NoError(t, socket.WriteJSON(message))
	for {
		require.NoError(t, socket.SetReadDeadline(time.Now().Add(time.Minute)))
		var answer map[string]any
		require.NoError(t, socket.ReadJSON(&answer))
		if answer["id"] == message["id"] {
			return answer
		}
	}
}

// joinAt joins a room at a server, and follows where it sends the client. It returns how
// often that was.
func joinAt(t *testing.T, url, room, token string) (socket *websocket.Conn, answer map[string]any, hops int) {
	t.Helper()
	at := "ws" + strings.TrimPrefix(url, "http") + "/ws"
	for {
		socket, resp, err := websocket.DefaultDialer.Dial(at, nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, "welcome", said(t, socket, map[string]any{"type": "hello", "version": 1, "token": token, "name": "Bo"})["type"])
		answer := said(t, socket, map[string]any{"type": "join", "room": room})
		if answer["type"] != "redirect" {
			return socket, answer, hops
		}
		assert.Equal(t, "place", answer["reason"])
		at = answer["url"].(string)
		hops++
		require.NoError(t, socket.Close())
		require.LessOrEqual(t, hops, 1, "a client is sent to another server once")
	}
}

// made is a room with its host's token.
type made struct {
	Room      string
	HostToken string `json:"host_token"`
}

// makeRooms makes rooms by way of one server until every server has one.
func makeRooms(t *testing.T, url, data string) (rooms []made) {
	t.Helper()
	for range 100 {
		stdout, stderr, code := command(t, "room", "create", "Lobby", "--visibility", "closed", "--json", "--target", url, "--data", data)
		require.Zero(t, code, stderr)
		var room made
		require.NoError(t, json.Unmarshal([]byte(stdout), &room))
		rooms = append(rooms, room)
		empty := 0
		for _, n := range nodesOf(t, url, data) {
			if n.Rooms == 0 {
				empty++
			}
		}
		if empty == 0 {
			return rooms
		}
		time.Sleep(20 * time.Millisecond)
	}
	require.Fail(t, "a server has no room")
	return nil
}

// TestRoomsSpreadOverACluster makes rooms by way of one server of three. Each of them
// answers for all rooms, over HTTP and WHEP, and sends WebSockets to where the room is.
// What is decided at one holds at all.
func TestRoomsSpreadOverACluster(t *testing.T) {
	t.Parallel()
	data, nodes := startCluster(t)
	rooms := makeRooms(t, nodes[0].url, data)
	for i, n := range nodes {
		stdout, stderr, code := command(t, "room", "list", "--json", "--target", n.url, "--data", data)
		require.Zero(t, code, stderr)
		assert.Equal(t, len(rooms), strings.Count(stdout, `"room":`), "server %d lists the rooms of all: %s", i, stdout)
	}

	hops := 0
	for _, room := range rooms {
		for _, n := range nodes {
			socket, joined, h := joinAt(t, n.url, room.Room, room.HostToken)
			require.Equal(t, "joined", joined["type"], joined)
			hops += h
			require.NoError(t, socket.Close())
		}
	}
	assert.Equal(t, 2*len(rooms), hops, "two of three servers send a client on")

	// A guest, with an invite that is redeemed by way of another server, once.
	room := rooms[0]
	status, body := get(t, http.MethodPost, nodes[1].url+"/api/rooms/"+room.Room+"/invites", room.HostToken, `{"role":"listener","uses":1}`)
	require.Equal(t, http.StatusCreated, status, body)
	var invite struct{ Code string }
	require.NoError(t, json.Unmarshal([]byte(body), &invite))
	var guest struct{ Token string }
	for i, n := range []clusterNode{nodes[2], nodes[1], nodes[0]} {
		status, body := get(t, http.MethodPost, n.url+"/api/invites/"+invite.Code+"/redeem", "", `{"name":"Mal"}`)
		if i > 0 {
			assert.Equal(t, http.StatusGone, status, "the invite is used up on all servers: %s", body)
			continue
		}
		require.Equal(t, http.StatusOK, status, body)
		require.NoError(t, json.Unmarshal([]byte(body), &guest))
	}
	socket, joined, _ := joinAt(t, nodes[1].url, room.Room, guest.Token)
	require.Equal(t, "joined", joined["type"], joined)
	defer socket.Close()

	// Rooms and ears may be wanted on a certain server, or are nowhere.
	text, err := os.ReadFile(filepath.Join(data, cli.OperatorTokenFile))
	require.NoError(t, err)
	operator := strings.TrimSpace(string(text))
	for _, n := range nodesOf(t, nodes[0].url, data) {
		status, body := get(t, http.MethodPost, nodes[1].url+"/api/rooms?node="+n.ID, operator, `{"name":"Placed","visibility":"closed"}`)
		require.Equal(t, http.StatusCreated, status, body)
		var placed made
		require.NoError(t, json.Unmarshal([]byte(body), &placed))
		there, joined, _ := joinAt(t, nodes[2].url, placed.Room, placed.HostToken)
		require.Equal(t, "joined", joined["type"], joined)
		assert.True(t, strings.HasSuffix(n.URL, there.RemoteAddr().String()), "the room is at %s", n.URL)
		require.NoError(t, there.Close())
	}
	status, body = get(t, http.MethodPost, nodes[1].url+"/api/rooms?node=nowhere", operator, `{"name":"Placed"}`)
	assert.Equal(t, http.StatusNotFound, status, body)
	assert.Equal(t, "not_found", said(t, socket, map[string]any{"type": "offer", "media": "ear", "sdp": "v=0", "node": "nowhere"})["code"])

	// A room of which he may know nothing looks like none, on whichever server it is.
	for _, other := range rooms[1:] {
		for _, n := range nodes {
			hidden, refused, h := joinAt(t, n.url, other.Room, guest.Token)
			assert.Equal(t, "not_found", refused["code"], refused)
			assert.Zero(t, h, "and nobody is sent there")
			require.NoError(t, hidden.Close())
		}
	}

	// Banned by way of a server that is not the room's, he is out on all.
	status, body = get(t, http.MethodDelete, nodes[2].url+"/api/rooms/"+room.Room+"/members/"+joined["member"].(string)+"?ban=true", room.HostToken, "")
	require.Equal(t, http.StatusNoContent, status, body)
	for _, n := range nodes {
		out, refused, h := joinAt(t, n.url, room.Room, guest.Token)
		assert.Equal(t, "barred", refused["code"], refused)
		assert.Zero(t, h)
		require.NoError(t, out.Close())
		status, body := get(t, http.MethodPost, n.url+"/rooms/"+room.Room+"/whep", guest.Token, "")
		assert.NotEqual(t, http.StatusCreated, status, body)
	}

	status, body = get(t, http.MethodDelete, nodes[1].url+"/api/rooms/"+room.Room, room.HostToken, "")
	require.Equal(t, http.StatusNoContent, status, body)
	for _, n := range nodes {
		assert.Eventually(t, func() bool {
			status, _ := get(t, http.MethodGet, n.url+"/api/rooms/"+room.Room, room.HostToken, "")
			return status == http.StatusNotFound
		}, time.Minute, 10*time.Millisecond, "an ended room is gone everywhere")
	}
}

// TestServerOfAClusterDrainsAndStops drains a server and stops it: it gets no more rooms,
// and those that it has are on the others, with what was decided in them.
func TestServerOfAClusterDrainsAndStops(t *testing.T) {
	t.Parallel()
	data, nodes := startCluster(t)
	rooms := makeRooms(t, nodes[0].url, data)
	leaving, id := nodes[2], ""
	for _, n := range nodesOf(t, nodes[0].url, data) {
		if n.URL == leaving.url {
			id = n.ID
		}
	}
	_, stderr, code := command(t, "node", "drain", id, "--target", nodes[0].url, "--data", data)
	require.Zero(t, code, stderr)
	status, body := get(t, http.MethodGet, leaving.url+"/readyz", "", "")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, body, "draining")
	for _, n := range nodesOf(t, leaving.url, data) {
		assert.Equal(t, n.ID == id, n.Draining)
	}
	require.Eventually(t, func() bool {
		return roomsOf(t, data, nodes...) == len(rooms)
	}, time.Minute, 10*time.Millisecond, "every room is counted")
	had := roomsOf(t, data, leaving)
	require.Positive(t, had)
	require.Eventually(t, func() bool {
		for _, n := range nodesOf(t, nodes[0].url, data) {
			if n.ID == id && n.Draining {
				return true
			}
		}
		return false
	}, time.Minute, 10*time.Millisecond, "the others know")
	for range 10 {
		stdout, stderr, code := command(t, "room", "create", "Late", "--json", "--target", nodes[0].url, "--data", data)
		require.Zero(t, code, stderr)
		var room made
		require.NoError(t, json.Unmarshal([]byte(stdout), &room))
		rooms = append(rooms, room)
	}
	require.Eventually(t, func() bool {
		return roomsOf(t, data, nodes[:2]...) == len(rooms)-had
	}, time.Minute, 10*time.Millisecond, "no more rooms for who drains")
	assert.Equal(t, had, roomsOf(t, data, leaving))

	var sockets []*websocket.Conn
	there, moved := 0, 0 // the sockets at who leaves, and those that were told
	for _, room := range rooms {
		socket, joined, _ := joinAt(t, nodes[0].url, room.Room, room.HostToken)
		require.Equal(t, "joined", joined["type"], joined)
		sockets = append(sockets, socket)
		defer socket.Close()
		if strings.HasSuffix(leaving.url, socket.RemoteAddr().String()) {
			there++
		}
	}
	require.Positive(t, there)
	leaving.stop()
	for i, room := range rooms {
		assert.Eventually(t, func() bool {
			status, _ := get(t, http.MethodGet, nodes[1].url+"/api/rooms/"+room.Room, room.HostToken, "")
			return status == http.StatusOK
		}, time.Minute, 20*time.Millisecond, "a room of the one that left is on another")
		// Whoever was on it has been told so.
		require.NoError(t, sockets[i].WriteJSON(map[string]any{"type": "leave", "id": "leave"}))
		told := 0
		for {
			require.NoError(t, sockets[i].SetReadDeadline(time.Now().Add(time.Minute)))
			_, data, err := sockets[i].ReadMessage()
			if err != nil {
				break
			}
			if bytes.Contains(data, []byte(`"moved"`)) {
				told = 1
			}
		}
		moved += told
	}
	assert.Equal(t, there, moved)
	for _, n := range nodesOf(t, nodes[0].url, data) {
		assert.NotEqual(t, id, n.ID, "who left is no node any more")
	}
	for _, room := range rooms {
		socket, joined, _ := joinAt(t, nodes[1].url, room.Room, room.HostToken)
		assert.Equal(t, "joined", joined["type"], joined)
		require.NoError(t, socket.Close())
	}
}
