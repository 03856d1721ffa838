//go:build unix

package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// threeNodes are the arguments of three nodes of this machine that need no NATS server.
func threeNodes(t *testing.T) (nodes [3][]string) {
	t.Helper()
	var addresses []string
	for range nodes {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
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
	first := launchClusterProcess(t, "", args[2]...)
	second := launchClusterProcess(t, "", args[0]...)
	third := launchClusterProcess(t, "", args[1]...)
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

	back := startClusterProcess(t, "", args[lost]...)
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
