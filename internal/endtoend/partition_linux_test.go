package endtoend_test

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lab"
)

// chaos is how long faults follow one another; without it there are three.
var chaos = flag.Duration("chaos", 0, "how `long` to let faults of all kinds happen to three nodes (make soak: ten minutes)")

// A nodeFault is what happens to a node, or between it and two others.
type nodeFault struct {
	name string
	// begin and end make it happen to a node, and undo it.
	begin, end func(c *embeddedCluster, node, a, b int)
	// lost means that the two others can't hear the node, and take its rooms over.
	lost bool
	// deaf means that clients do not reach it either.
	deaf bool
}

// blocks is a fault of links: who can't send to whom. 0 is the node, 1 and 2 are the others.
func blocks(name string, lost bool, ways ...[2]int) nodeFault {
	each := func(do func(l *lab.Lab, from, to int)) func(*embeddedCluster, int, int, int) {
		return func(c *embeddedCluster, node, a, b int) {
			at := [3]int{node, a, b}
			for _, w := range ways {
				do(c.lab, at[w[0]], at[w[1]])
			}
		}
	}
	return nodeFault{name: name, lost: lost, begin: each((*lab.Lab).Block), end: each((*lab.Lab).Unblock)}
}

func signals(name string, begin syscall.Signal, end func(c *embeddedCluster, node int)) nodeFault {
	return nodeFault{
		name: name, lost: true, deaf: true, end: func(c *embeddedCluster, node, _, _ int) { end(c, node) },
		begin: func(c *embeddedCluster, node, _, _ int) {
			require.NoError(c.t, c.nodes[node].cmd.Process.Signal(begin))
		},
	}
}

// nodeFaults are all of them. The first ones are those that are always played.
func nodeFaults() []nodeFault {
	return []nodeFault{
		blocks("cut off from both others", true, [2]int{0, 1}, [2]int{1, 0}, [2]int{0, 2}, [2]int{2, 0}),
		signals("stopped", syscall.SIGSTOP, func(c *embeddedCluster, node int) {
			require.NoError(c.t, c.nodes[node].cmd.Process.Signal(syscall.SIGCONT))
		}),
		blocks("what it sends to one other is lost", false, [2]int{0, 1}),
		blocks("what it sends to both others is lost", true, [2]int{0, 1}, [2]int{0, 2}),
		blocks("what both others send to it is lost", true, [2]int{1, 0}, [2]int{2, 0}),
		blocks("what one other sends to it is lost", false, [2]int{1, 0}),
		blocks("cut off from one other", false, [2]int{0, 1}, [2]int{1, 0}),
		{
			name: "its link is down", lost: true, deaf: true,
			begin: func(c *embeddedCluster, node, _, _ int) { c.lab.SetLink(node, false) },
			end:   func(c *embeddedCluster, node, _, _ int) { c.lab.SetLink(node, true) },
		},
		signals("killed", syscall.SIGKILL, func(c *embeddedCluster, node int) {
			_ = c.nodes[node].cmd.Wait()
			c.start(node)
		}),
	}
}

// playedAlways is how many of the faults are played in each run of the tests.
const playedAlways = 3

// TestFaultsBetweenThreeNodes has faults happen to three nodes without a NATS server, each on a machine of its own,
// with people in a room of one of them. Nobody hears that room from two nodes, what was acknowledged holds,
// an invite is used once, an account is in once, and in the end each room is on one node.
func TestFaultsBetweenThreeNodes(t *testing.T) {
	t.Parallel()
	lab.On(t, embeddedNodes+1, embeddedNodes, func(l *lab.Lab) {
		clientAddress = l.Address(embeddedNodes)
		c := startEmbeddedNodes(t, l)
		faults := nodeFaults()
		for i, f := range faults[:playedAlways] {
			c.play(t, f, i%embeddedNodes)
		}
		for end := time.Now().Add(*chaos); time.Now().Before(end) && !t.Failed(); {
			c.play(t, faults[rand.IntN(len(faults))], rand.IntN(embeddedNodes))
		}
	})
}

// play has one fault happen, as a test of its own.
func (c *embeddedCluster) play(all *testing.T, f nodeFault, node int) {
	all.Run(f.name, func(t *testing.T) {
		c.t = t
		defer func() { c.t = c.all }()
		a, b := (node+1)%embeddedNodes, (node+2)%embeddedNodes
		p := c.bringIn(c.nodes[node])
		heal := sync.OnceFunc(func() { f.end(c, node, a, b) })
		defer heal() // also if the test fails
		f.begin(c, node, a, b)
		began := time.Now()
		if !f.deaf {
			p.useEverything(c.nodes[node])
		}
		if f.lost {
			p.goOnAt(c.nodes[a])
		} else {
			c.eventually(func() bool { return p.mic.after(p.ear.all(), p.host.talker(), began.Add(time.Second)) > mostAfter }, "the room goes on where it is")
		}
		p.useEverything(c.nodes[a])
		p.useEverything(c.nodes[b])
		heal()
		c.ready()
		time.Sleep(settled) // for what must not come
		p.check(f, began)
	})
}

// stillKnown is how long after a takeover a session of the node before is surely known to have ended with it.
const stillKnown = 4 * time.Second

// party is people in a room, and what they were told.
type party struct {
	c     *embeddedCluster
	room  string
	token struct{ host, ear, account, player string }
	host  *member
	mic   *numberedMic
	ear   *listener
	// session is the path of a WHEP player's.
	session string

	once            string // an invite for one
	used            int
	barred, invites []string
	victims         []string // who may be banned, by token, and their ids
	ids             []string

	// Since the room is elsewhere:
	found   time.Time
	moved   time.Time
	again   *member
	nextMic *numberedMic
	nextEar *listener
}

// bringIn opens a room on a node, with a host who talks, a listener who obeys nobody, an account, one who is banned, and
// some who may be.
func (c *embeddedCluster) bringIn(on *embeddedNode) *party {
	c.t.Helper()
	p := &party{c: c}
	made := c.made(on.url+"/api/rooms?node="+c.id(on), operatorToken, `{"name": "hall", "visibility": "open"}`, "room", "host_token")
	p.room, p.token.host = made[0], made[1]
	c.rooms++
	p.token.ear = c.guest(on, "/api/rooms/"+p.room+"/invites", `{"role": "listener"}`)
	p.token.account = c.guest(on, "/api/invites", `{"name": "Bo"}`)
	p.once = c.made(on.url+"/api/rooms/"+p.room+"/invites", p.token.host, `{"role": "listener", "uses": 1}`, "code")[0]

	p.host = c.enter(on, p.token.host, p.room, "host")
	p.mic = openNumberedMic(c.t, p.host.exchange("mic"))
	p.ear, _ = listenRecorded(c.t, c.enter(on, p.token.ear, p.room, "listener").exchange("ear"))
	c.enter(on, p.token.account, p.room, "listener")
	p.token.player = c.guest(on, "/api/rooms/"+p.room+"/invites", `{"role": "listener"}`)
	listen(c.t, 3, byWHEPKept(c.t, on.url, p.room, p.token.player, &p.session))
	for range 3 {
		token := c.guest(on, "/api/rooms/"+p.room+"/invites", `{"role": "listener"}`)
		p.victims, p.ids = append(p.victims, token), append(p.ids, c.enter(on, token, p.room, "listener").id)
	}
	p.ban(p.host)
	require.Len(c.t, p.barred, 1, "nothing has happened yet")
	c.eventually(func() bool { return p.mic.after(p.ear.all(), p.host.talker(), time.Time{}) > mostAfter }, "the host is heard")
	return p
}

// ban has the host ban the next one. Whether it was acknowledged is noted.
func (p *party) ban(host *member) {
	if len(p.victims) == 0 {
		return
	}
	if host.try(map[string]any{"type": "ban", "member": p.ids[0]})["type"] == "ok" {
		p.barred = append(p.barred, p.victims[0])
	}
	p.victims, p.ids = p.victims[1:], p.ids[1:]
}

// useEverything has a node keep things: an invite is used, another made, and somebody banned.
func (p *party) useEverything(at *embeddedNode) {
	p.c.t.Helper()
	if status, _ := p.c.call(http.MethodPost, at.url+"/api/invites/"+p.once+"/redeem", "", `{"name": "Di"}`); status == http.StatusOK {
		p.used++
	}
	if status, answer := p.c.call(http.MethodPost, at.url+"/api/rooms/"+p.room+"/invites", operatorToken, `{"role": "listener"}`); status == http.StatusCreated {
		p.invites = append(p.invites, answer["code"].(string))
	}
	host := p.host
	if p.again != nil {
		host = p.again
	}
	p.ban(host)
}

// goOnAt waits until others have the room, and has its people come again.
func (p *party) goOnAt(other *embeddedNode) {
	c := p.c
	c.t.Helper()
	c.eventually(func() bool {
		status, _ := c.call(http.MethodGet, other.url+"/api/rooms/"+p.room, operatorToken, "")
		return status == http.StatusOK
	}, "another node has the room")
	p.found = time.Now()
	assert.Equal(c.t, http.StatusNotFound, restartRequest.do(c.t, other.url+p.session, p.token.player), "a player's session has ended with its node")
	if end := (sessionRequest{name: "DELETE", method: http.MethodDelete}).do(c.t, other.url+p.session, p.token.player); time.Since(p.found) < stillKnown {
		assert.Equal(c.t, http.StatusOK, end, "which may be said of it")
	}
	for heard := false; !heard; { // again if they are told to go elsewhere: the node may have been taken for lost, too
		p.again = c.enter(other, p.token.host, p.room, "host")
		p.moved = time.Now()
		p.nextMic = openNumberedMic(c.t, p.again.exchange("mic"))
		listener := c.enter(other, p.token.ear, p.room, "listener")
		p.nextEar, _ = listenRecorded(c.t, listener.exchange("ear"))
		c.enter(other, p.token.account, p.room, "listener")
		c.eventually(func() (done bool) {
			heard = p.nextMic.after(p.nextEar.all(), p.again.talker(), time.Time{}) > mostAfter
			select {
			case <-p.again.hungUp:
			case <-listener.hungUp:
			case <-listener.closed:
			default:
				return heard
			}
			c.t.Log("they have to come again")
			return true
		}, "the host is heard there")
	}
}

// check checks what must be when everything is as before.
func (p *party) check(f nodeFault, began time.Time) {
	c := p.c
	c.t.Helper()
	if f.lost {
		assert.LessOrEqual(c.t, p.mic.after(p.ear.all(), p.host.talker(), p.moved), mostAfter, "the room is heard from one node at a time")
		c.t.Logf("there again after %v, in it after %v; silent after %v, heard from another node after %v", p.found.Sub(began).Round(time.Millisecond), p.moved.Sub(began).Round(time.Millisecond), p.mic.lastIn(p.ear.all(), p.host.talker()).Sub(began).Round(time.Millisecond),
			p.nextMic.firstIn(p.nextEar.all(), p.again.talker()).Sub(began).Round(time.Millisecond))
		healed := time.Now()
		c.eventually(func() bool { return p.nextMic.after(p.nextEar.all(), p.again.talker(), healed) > mostAfter }, "it goes on there")
	}
	c.holds(p.room, p.barred, p.invites)
	for _, n := range c.nodes {
		var status int
		c.eventually(func() bool {
			status, _ = c.call(http.MethodPost, n.url+"/api/invites/"+p.once+"/redeem", "", `{"name": "Di"}`)
			return status == http.StatusOK || status == http.StatusGone
		}, "an invite is used, or was")
		if status == http.StatusOK {
			p.used++
		}
	}
	assert.LessOrEqual(c.t, p.used, 1, "an invite for one is used once")
	c.eventually(func() bool {
		accounts := p.accountsIn()
		if accounts == 0 && !f.lost { // nobody says that a room which could keep nothing for long has all its people still
			c.enter(c.nodes[0], p.token.account, p.room, "listener")
		}
		return accounts == 1
	}, "the account is in once")
	c.eventually(func() bool {
		sum := 0
		for _, n := range c.nodes {
			sum += c.roomsOn(n)
		}
		return sum == c.rooms
	}, "each room is on one node")
	c.eventually(func() bool {
		status, _ := c.call(http.MethodDelete, c.nodes[0].url+"/api/rooms/"+p.room, operatorToken, "")
		return status == http.StatusNoContent || status == http.StatusNotFound
	}, "the room is ended")
	c.rooms--
}

// accountsIn counts the seats of members of the club in the room, who are there.
func (p *party) accountsIn() (accounts int) {
	_, answer := p.c.call(http.MethodGet, p.c.nodes[0].url+"/api/rooms/"+p.room+"/members", operatorToken, "")
	list, _ := answer["members"].([]any)
	for _, m := range list {
		m := m.(map[string]any)
		if account, _ := m["account"].(string); account != "" && !strings.HasPrefix(account, "guest:") && m["away"] != true {
			accounts++
		}
	}
	return accounts
}
