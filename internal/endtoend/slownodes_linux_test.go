package endtoend_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lab"
	"github.com/earshot-audio/earshot/loadgen/network"
)

// TestActsHoldBetweenSlowNodes has three nodes without a NATS server whose messages to one another take 50 ± 20 ms, and
// one of a hundred packets is lost. For each pair of a room's node and a node with ears of that room, each act of the host
// holds at those ears when it is acknowledged: at most five packets follow that were sent later.
func TestActsHoldBetweenSlowNodes(t *testing.T) {
	t.Parallel()
	lab.On(t, embeddedNodes+1, embeddedNodes, func(l *lab.Lab) {
		clientAddress = l.Address(embeddedNodes)
		l.SlowBetween([]int{0, 1, 2}, network.Direction{
			Delay: 30 * time.Millisecond, Jitter: network.Jitter{Spread: 40 * time.Millisecond, Shape: network.Uniform}, Loss: 0.01,
		})
		c := startEmbeddedNodes(t, l)
		t.Run("pairs", func(t *testing.T) {
			for host := range c.nodes {
				for ears := range c.nodes {
					t.Run(fmt.Sprintf("the room on node %d, ears on node %d", host, ears), func(t *testing.T) {
						t.Parallel()
						own := *c
						own.t = t
						own.actsHold(host, ears)
					})
				}
			}
		})
	})
}

// An actCheck is that nothing follows an act but what was sent before it was acknowledged.
type actCheck struct {
	name   string
	mic    *numberedMic
	talker uint32
	ear    *listener
	acked  time.Time
}

// actsHold has a host whose room is on one node do to people with ears on another, or heard there, what hosts do.
func (c *embeddedCluster) actsHold(stage, ears int) {
	c.t.Helper()
	at := c.nodes[stage]
	made := c.made(at.url+"/api/rooms?node="+c.id(at), operatorToken, `{"name": "hall", "visibility": "open"}`, "room", "host_token")
	room, hostToken := made[0], made[1]
	host := c.enter(at, hostToken, room, "host")
	hostMic := openNumberedMic(c.t, host.exchange("mic"))
	guest := func(role string) *member {
		return c.enter(at, c.guest(at, "/api/rooms/"+room+"/invites", fmt.Sprintf(`{"role": %q}`, role)), room, role)
	}
	observer := guest("listener")

	var checks []actCheck
	// act notes what an act is to end, once it is acknowledged: that the ear hears the mic, which it does now.
	act := func(name string, mic *numberedMic, talker uint32, ear *listener, do func()) {
		c.t.Helper()
		do()
		checks = append(checks, actCheck{name, mic, talker, ear, time.Now()})
	}
	for _, a := range []struct {
		name string
		do   func(victim *member)
	}{
		{"kick", func(victim *member) { host.ask(map[string]any{"type": "remove", "member": victim.id}) }},
		{"ban by way of the ears' node", func(victim *member) {
			status, answer := c.call(http.MethodDelete, c.nodes[ears].url+"/api/rooms/"+room+"/members/"+victim.id+"?ban=true", hostToken, "")
			require.Equal(c.t, http.StatusNoContent, status, "%v", answer)
		}},
	} {
		victim := guest("listener")
		ear := c.hearingEar(victim, ears, hostMic, host.talker())
		act(a.name, hostMic, host.talker(), ear, func() { a.do(victim) })
	}
	for _, a := range []struct {
		name    string
		request map[string]any
	}{
		{"mute", map[string]any{"type": "mute", "muted": true}},
		{"demote", map[string]any{"type": "demote"}},
	} {
		speaker := guest("speaker")
		mic := openNumberedMic(c.t, speaker.exchange("mic"))
		ear := c.hearingEar(observer, ears, mic, speaker.talker())
		act(a.name, mic, speaker.talker(), ear, func() {
			a.request["member"] = speaker.id
			host.ask(a.request)
		})
	}
	c.accountsHold(room, stage, ears, hostMic, host, act)
	last := c.hearingEar(observer, ears, hostMic, host.talker())
	act("end", hostMic, host.talker(), last, func() { host.ask(map[string]any{"type": "end"}) })

	time.Sleep(settled)
	for _, check := range checks {
		assert.LessOrEqual(c.t, check.mic.after(check.ear.all(), check.talker, check.acked), mostAfter, check.name)
	}
}

// accountsHold has a member of the club who hears a room on one node, from another, come into a room on a third, and log in
// by way of the node with their ear.
func (c *embeddedCluster) accountsHold(room string, stage, ears int, mic *numberedMic, host *member, act func(string, *numberedMic, uint32, *listener, func())) {
	c.t.Helper()
	at, by := c.nodes[stage], c.nodes[(2*embeddedNodes-stage-ears)%embeddedNodes]
	if stage == ears {
		by = c.nodes[(stage+1)%embeddedNodes]
	}
	account := c.account(at)
	hears := func() *listener {
		return c.hearingEar(c.enter(at, account["token"].(string), room, "listener"), ears, mic, host.talker())
	}
	other := c.made(by.url+"/api/rooms?node="+c.id(by), operatorToken, `{"name": "other", "visibility": "open"}`, "room")[0]
	act("a second session, in a room on another node", mic, host.talker(), hears(), func() {
		c.enter(by, account["token"].(string), other, "listener")
	})
	act("a login by way of the ears' node", mic, host.talker(), hears(), func() {
		status, answer := c.call(http.MethodPost, c.nodes[ears].url+"/api/login", "", fmt.Sprintf(`{"key": %q}`, account["key"]))
		require.Equal(c.t, http.StatusOK, status, "%v", answer)
	})
}

// account makes a member of the club, and returns what they are told: their token and key.
func (c *embeddedCluster) account(by *embeddedNode) (answer map[string]any) {
	c.t.Helper()
	c.eventually(func() bool {
		code := c.made(by.url+"/api/invites", operatorToken, `{"name": "Bo"}`, "code")[0]
		_, answer = c.call(http.MethodPost, by.url+"/api/invites/"+code+"/redeem", "", `{"name": "Bo"}`)
		return answer["key"] != nil
	}, "an invite into the club is redeemed")
	return answer
}

// hearingEar opens an ear on a node, which hears a mic. It opens another if it is lost.
func (c *embeddedCluster) hearingEar(m *member, node int, mic *numberedMic, talker uint32) (ear *listener) {
	c.t.Helper()
	for hears := false; !hears; {
		ear, _ = listenRecorded(c.t, c.earOn(m, node))
		c.eventually(func() (done bool) {
			hears = mic.after(ear.all(), talker, time.Time{}) > mostAfter
			select {
			case <-m.closed:
				return true
			default:
				return hears
			}
		}, "an ear on node %d hears", node)
	}
	return ear
}
