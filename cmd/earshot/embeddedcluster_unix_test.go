//go:build unix

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/lab"
)

// threeNodes are the arguments of three nodes of this machine that need no NATS server.
func threeNodes(t *testing.T) (nodes [3][]string) {
	t.Helper()
	addresses := lab.FreeAddresses(t, len(nodes))
	for i := range nodes {
		nodes[i] = []string{"serve", "--cluster", "--cluster-listen", addresses[i], "--join", addresses[(i+1)%3] + "," + addresses[(i+2)%3], "--data", t.TempDir(),
			"--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--operator-token", clusterToken, "--rate-limit-exempt", "127.0.0.0/8", "--stop-with-stdin"}
	}
	return nodes
}

// TestThreeNodesKeepEverythingThemselves starts three nodes without a NATS server, and kills the one
// that leads the writing of rooms and has a room itself. What was decided there holds on the others,
// on the killed one when it is back, and when another is stopped then.
func TestThreeNodesKeepEverythingThemselves(t *testing.T) {
	realTime(t)
	t.Parallel()
	args := threeNodes(t)
	first := launchClusterProcess(t, earshotProcess(t, args[2]...))
	second := launchClusterProcess(t, earshotProcess(t, args[0]...))
	third := launchClusterProcess(t, earshotProcess(t, args[1]...))
	c := &processCluster{}
	for _, serving := range []func() (clusterProcess, []string){second, third, first} {
		p, _ := serving()
		c.nodes = append(c.nodes, p)
	}
	rooms := c.roomsOnAll(t, "closed")
	leads := func() int {
		for i, n := range c.nodes {
			if n.metric(t, `earshot_nats_leads{bucket="rooms"}`) == 1 {
				return i
			}
		}
		return -1
	}
	lost := -1
	for end := time.Now().Add(clusterPatience); lost < 0 && time.Now().Before(end); lost = leads() {
		time.Sleep(50 * time.Millisecond) // they may choose anew
	}
	require.GreaterOrEqual(t, lost, 0, "one leads the rooms")
	others := []clusterProcess{c.nodes[(lost+1)%3], c.nodes[(lost+2)%3]}
	room := rooms[lost]
	d := decide(t, others[0], room)
	enough, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		d.keep(t, others[0], enough)
	}()
	<-enough
	c.nodes[lost].signal(t, syscall.SIGKILL)
	<-done

	for _, n := range others {
		n.eventually(t, "/api/rooms/"+room.Room, http.StatusOK, "the room is on another node")
		d.holds(t, n)
	}
	assert.EqualValues(t, c.rooms, roomsOn(t, others, c.rooms), "each room is on one node")
	uses := 0
	for _, n := range append(others, others...) {
		require.Eventually(t, func() bool { // they may still choose who leads the invites
			status, _ := get(t, http.MethodPost, n.url+"/api/invites/"+d.invite+"/redeem", "", `{"name":"Di"}`)
			if status == http.StatusOK {
				uses++
			}
			return status == http.StatusOK || status == http.StatusGone
		}, clusterPatience, 50*time.Millisecond)
	}
	assert.LessOrEqual(t, uses, 1, "one of two uses was left")

	back := startClusterProcess(t, args[lost]...)
	back.eventually(t, "/readyz", http.StatusOK, "it is a node again")
	d.holds(t, back)
	others[0].signal(t, syscall.SIGTERM)
	require.NoError(t, others[0].cmd.Wait(), "it stops in order")
	for _, n := range []clusterProcess{back, others[1]} {
		n.eventually(t, "/api/rooms/"+room.Room, http.StatusOK, "two of three go on")
		d.holds(t, n)
		require.Eventually(t, func() bool {
			status, _ := get(t, http.MethodPost, n.url+"/api/rooms", clusterToken, `{"name":"Late"}`)
			return status == http.StatusCreated
		}, clusterPatience, 50*time.Millisecond, "and keep what is new")
	}
}

// TestSingleServerBecomesThreeNodes has a single server make a room, an invite and an account, with people who hold its
// tokens. Three nodes that begin with what it kept know all of them.
func TestSingleServerBecomesThreeNodes(t *testing.T) {
	realTime(t)
	t.Parallel()
	args := threeNodes(t)
	data := args[1][7]
	single := startClusterProcess(t, "serve", "--data", data, "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--rate-limit-exempt", "127.0.0.0/8", "--stop-with-stdin")
	own, err := os.ReadFile(filepath.Join(data, cli.OperatorTokenFile))
	require.NoError(t, err)
	token := strings.TrimSpace(string(own))
	room := post[made](t, single.url+"/api/rooms", token, `{"name":"Lobby","visibility":"closed"}`)
	d := decide(t, single, room)
	club := post[struct{ Code string }](t, single.url+"/api/invites", token, `{"name":"Bo"}`)
	bo := post[struct{ Token, Key string }](t, single.url+"/api/invites/"+club.Code+"/redeem", "", `{"name":"Bo"}`)
	single.signal(t, syscall.SIGTERM)
	require.NoError(t, single.cmd.Wait())

	var serving []func() (clusterProcess, []string)
	for i, node := range args {
		if at := slices.Index(node, "--operator-token"); at >= 0 {
			node = slices.Delete(slices.Clone(node), at, at+2) // it has been made
		}
		if i == 1 {
			node = append(node, "--import")
		}
		serving = append(serving, launchClusterProcess(t, earshotProcess(t, node...)))
	}
	for _, s := range serving {
		n, _ := s()
		status, text := get(t, http.MethodGet, n.url+"/api/nodes", token, "")
		assert.Equal(t, http.StatusOK, status, "the operator's token counts: %s", text)
		require.Eventually(t, func() bool {
			status, _ := get(t, http.MethodGet, n.url+"/api/rooms/"+room.Room, room.HostToken, "")
			return status == http.StatusOK
		}, clusterPatience, 50*time.Millisecond, "a node has the room, and its host's token counts")
		d.holds(t, n)
		status, text = get(t, http.MethodGet, n.url+"/api/me", bo.Token, "")
		assert.Equal(t, http.StatusOK, status, "the account is in still: %s", text)
		status, text = get(t, http.MethodPost, n.url+"/api/invites/"+d.invite+"/redeem", "", `{"name":"Di"}`)
		if status != http.StatusOK {
			assert.Equal(t, http.StatusGone, status, "one of two uses was left: %s", text)
		}
	}
}

// TestNodeThatFindsNoOthersGivesUp starts one node of three.
func TestNodeThatFindsNoOthersGivesUp(t *testing.T) {
	args := threeNodes(t)[0]
	args[len(args)-1] = "--join-within=500ms" // and standard input may end
	stdout, stderr, code := command(t, args...)
	assert.Equal(t, 1, code)
	others := strings.ReplaceAll(args[5], ",", ", ")
	assert.Equal(t, fmt.Sprintf("waiting for two more nodes: %s\n", others), stdout)
	assert.Contains(t, stderr, "this node could not join the others: it waited for two more nodes: "+others)
}
