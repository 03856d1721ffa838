package endtoend_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lab"
)

// TestHallNodeLosesItsLink has three nodes, each on a machine of its own, share a NATS server on a fourth. The room is on the
// first, which has a seat for the host alone; one listener's ear is on the second, another's on the third. The second one's link
// goes down: its listener is told, opens another ear, and hears the room from the third, and the other listener misses
// nothing. When the link is back the node is a node as before.
func TestHallNodeLosesItsLink(t *testing.T) {
	t.Parallel()
	lab.On(t, embeddedNodes+1, embeddedNodes, func(l *lab.Lab) {
		clientAddress = l.Address(embeddedNodes)
		nats, err := natsserver.NewServer(&natsserver.Options{Host: clientAddress.String(), Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true})
		require.NoError(t, err)
		nats.Start()
		t.Cleanup(func() { nats.Shutdown(); nats.WaitForShutdown() })
		require.True(t, nats.ReadyForConnections(patience))
		c := newLabCluster(t, l)
		seats := []int{1, 100, 100}
		for i := range c.nodes {
			http := c.at(i, 7080)
			c.nodes[i] = &embeddedNode{url: "http://" + http, args: []string{
				"serve", "--cluster", "--nats", nats.ClientURL(), "--data", filepath.Join(c.dir, fmt.Sprint("data", i)), "--seats", fmt.Sprint(seats[i]),
				"--http", http, "--media", c.at(i, 7081), "--node-url", "http://" + http,
				"--operator-token", operatorToken, "--rate-limit-exempt", "10.213.0.0/16", "--stop-with-stdin",
			}}
			c.start(i)
		}
		c.ready()
		stage := c.nodes[0]
		made := c.made(stage.url+"/api/rooms?node="+c.id(stage), operatorToken, `{"name": "hall", "visibility": "open"}`, "room", "host_token")
		room := made[0]
		host := c.enter(stage, made[1], room, "host")
		mic := openNumberedMic(t, host.exchange("mic"))
		earAt := func(m *member, node int) (ear *listener) { return listen(t, 3, c.earOn(m, node)) }
		hears := func(ear *listener, since time.Time) func() bool {
			return func() bool { return mic.after(ear.all(), host.talker(), since) > mostAfter }
		}
		invite := "/api/rooms/" + room + "/invites"
		lost := c.enter(stage, c.guest(stage, invite, `{"role": "listener"}`), room, "listener")
		kept := c.enter(stage, c.guest(stage, invite, `{"role": "listener"}`), room, "listener")
		lostEar, keptEar := earAt(lost, 1), earAt(kept, 2)
		c.eventually(hears(lostEar, time.Time{}), "the ear on the second node hears")
		c.eventually(hears(keptEar, time.Time{}), "the ear on the third node hears")

		l.SetLink(1, false)
		down := time.Now()
		<-lost.closed
		told := time.Now()
		again := earAt(lost, -1)
		c.eventually(hears(again, time.Time{}), "the listener hears the room again")
		t.Logf("told after %v, heard again after %v", told.Sub(down).Round(time.Millisecond), time.Since(down).Round(time.Millisecond))
		c.eventually(hears(keptEar, time.Now()), "the other listener hears on")
		if lost := c.counted(c.nodes[2], "earshot_trunk_late_total") + c.counted(c.nodes[2], "earshot_trunk_gaps_total"); lost == 0 { // else this machine was too busy
			assert.Zero(t, mic.missing(keptEar.all(), host.talker()), "and has missed nothing")
		}
		assert.Zero(t, mic.after(lostEar.all(), host.talker(), told), "what was lost plays nothing later")

		l.SetLink(1, true)
		c.ready()
		c.eventually(func() bool {
			status, _ := c.call(http.MethodGet, c.nodes[1].url+"/api/rooms/"+room, operatorToken, "")
			return status == http.StatusOK
		}, "the node that was away passes requests on")
		back := earAt(c.enter(c.nodes[1], c.guest(c.nodes[1], invite, `{"role": "listener"}`), room, "listener"), 1)
		c.eventually(hears(back, time.Time{}), "an ear on the node that was away hears")
		assert.Zero(t, mic.after(lostEar.all(), host.talker(), told))
	})
}

// earOn exchanges an ear on a node, or on any if that is less than 0. It tries again until there is one.
func (c *embeddedCluster) earOn(m *member, node int) exchange {
	return func(offer string) (answer string) {
		ask := map[string]any{"type": "offer", "media": "ear", "sdp": offer}
		if node >= 0 {
			ask["node"] = c.id(c.nodes[node])
		}
		c.eventually(func() bool {
			answered := m.try(ask)
			answer, _ = answered["sdp"].(string)
			return answer != ""
		}, "an ear on node %d", node)
		return answer
	}
}

// counted returns a metric without labels of a node.
func (c *embeddedCluster) counted(n *embeddedNode, name string) (value float64) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, n.url+"/metrics", http.NoBody)
	require.NoError(c.t, err)
	resp, err := c.http.Do(r)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	_, after, found := strings.Cut(string(page), "\n"+name+" ")
	require.True(c.t, found, "%s: %s", name, page)
	_, err = fmt.Sscan(after, &value)
	require.NoError(c.t, err)
	return value
}

// missing counts the packets that are missing between the first and the last that was heard.
func (c *numberedMic) missing(heard []*rtp.Packet, talker uint32) int {
	seen := map[time.Time]bool{}
	var first, last time.Time
	c.each(heard, talker, func(sent time.Time) {
		seen[sent] = true
		if first.IsZero() || sent.Before(first) {
			first = sent
		}
		if sent.After(last) {
			last = sent
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	missing := 0
	for _, sent := range c.sent {
		if !sent.Before(first) && !sent.After(last) && !seen[sent] {
			missing++
		}
	}
	return missing
}
