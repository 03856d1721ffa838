//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clusterPatience is how long these tests wait for what must happen: a node that is gone is
// missed after 15 s, and the machine may be busy with others.
const clusterPatience = 2 * time.Minute

// clusterProcess is a node or the NATS server.
type clusterProcess struct {
	cmd *exec.Cmd
	url string // http:// or nats://
}

var processURL = regexp.MustCompile(`(https?|nats)://[0-9.:]+`)

// startClusterProcess starts earshot, and waits until it says where it serves. It ends with
// the test.
func startClusterProcess(t *testing.T, args ...string) clusterProcess {
	t.Helper()
	p, _ := launchClusterProcess(t, earshotProcess(t, args...))()
	return p
}

// launchClusterProcess starts one, and returns what waits until it says where it serves, and has the
// lines that it has printed before.
func launchClusterProcess(t *testing.T, cmd *exec.Cmd) (serving func() (p clusterProcess, before []string)) {
	t.Helper()
	_, err := cmd.StdinPipe() // closed by Wait, or by the end of this process
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	log := &lastWords{}
	cmd.Stderr = log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // SIGKILL ends a stopped process, too
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the log of %v:\n%s", cmd, log)
		}
	})
	return func() (clusterProcess, []string) {
		t.Helper()
		var before []string
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if url := processURL.FindString(lines.Text()); url != "" {
				return clusterProcess{cmd, url}, before
			}
			before = append(before, lines.Text())
		}
		require.Fail(t, "it did not start", "%v: %s", cmd, log)
		return clusterProcess{}, nil
	}
}

func (p clusterProcess) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(s))
}

// has reports whether a connection leads to this process.
func (p clusterProcess) has(socket *websocket.Conn) bool {
	return strings.HasSuffix(p.url, socket.RemoteAddr().String())
}

// processCluster is three nodes and a NATS server, each a process.
type processCluster struct {
	nats     clusterProcess
	natsSpec string
	nodes    []clusterProcess
	rooms    int // that were made
}

const clusterToken = "the-operator-of-the-cluster-tests"

// startProcessCluster starts them; flags are those of the nodes besides their addresses.
func startProcessCluster(t *testing.T, flags ...string) *processCluster {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	c := &processCluster{natsSpec: fmt.Sprint(listener.Addr().(*net.TCPAddr).Port, " ", t.TempDir())}
	require.NoError(t, listener.Close())
	c.startNATS(t)
	for range 3 {
		c.nodes = append(c.nodes, startClusterProcess(t, append([]string{"serve", "--cluster", "--nats", c.nats.url, "--data", t.TempDir(),
			"--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--operator-token", clusterToken, "--rate-limit-exempt", "127.0.0.0/8", "--stop-with-stdin"}, flags...)...))
	}
	return c
}

func (c *processCluster) startNATS(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asNATS+"="+c.natsSpec)
	c.nats, _ = launchClusterProcess(t, cmd)()
}

// post makes a request that must succeed, and reads its answer.
func post[T any](t *testing.T, url, token, body string) (answer T) {
	t.Helper()
	status, text := get(t, http.MethodPost, url, token, body)
	require.Equal(t, 2, status/100, "%s: %s", url, text)
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	return answer
}

// roomsOnAll makes rooms by way of the first node until each node has one, and returns one
// of each.
func (c *processCluster) roomsOnAll(t *testing.T, visibility string) []made {
	t.Helper()
	found := make([]made, len(c.nodes))
	left := len(found)
	for range 100 {
		room := post[made](t, c.nodes[0].url+"/api/rooms", clusterToken, `{"name":"Lobby","visibility":"`+visibility+`"}`)
		c.rooms++
		socket, joined, _ := joinAt(t, c.nodes[0].url, room.Room, room.HostToken)
		require.Equal(t, "joined", joined["type"], joined)
		for i, n := range c.nodes {
			if n.has(socket) && found[i].Room == "" {
				found[i] = room
				left--
			}
		}
		said(t, socket, map[string]any{"type": "leave"})
		require.NoError(t, socket.Close())
		if left == 0 {
			return found
		}
	}
	require.Fail(t, "a node has no room")
	return nil
}

// metric sums what a node counts under a name that begins so.
func (p clusterProcess) metric(t *testing.T, name string) (sum float64) {
	t.Helper()
	status, text := get(t, http.MethodGet, p.url+"/metrics", "", "")
	require.Equal(t, http.StatusOK, status)
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 2 && strings.HasPrefix(line, name) {
			value, err := strconv.ParseFloat(fields[1], 64)
			require.NoError(t, err)
			sum += value
		}
	}
	return sum
}

// awaitFree waits until all nodes know that nobody is on any of them: they hear it from one another after a
// while, and give nobody to a node that was full until then.
func (c *processCluster) awaitFree(t *testing.T) {
	t.Helper()
	taken := regexp.MustCompile(`"taken":\s*[1-9]`)
	require.Eventually(t, func() bool {
		for _, n := range c.nodes {
			if status, text := get(t, http.MethodGet, n.url+"/api/nodes", clusterToken, ""); status != http.StatusOK || taken.MatchString(text) {
				return false
			}
		}
		return true
	}, clusterPatience, 50*time.Millisecond, "the seats are free again")
}

// eventually waits until a node answers a GET with a status.
func (p clusterProcess) eventually(t *testing.T, path string, status int, why string) {
	t.Helper()
	require.Eventually(t, func() bool {
		got, _ := get(t, http.MethodGet, p.url+path, clusterToken, "")
		return got == status
	}, clusterPatience, 50*time.Millisecond, why)
}

// decided is a room in which things were decided that must outlive whatever happens.
type decided struct {
	made
	barred, host string // tokens: of one who is banned, and of one whom the host has made host
	invite       string // used once of twice
	kept         []string
}

// decide has a host ban somebody and make another the host, with the connections open.
func decide(t *testing.T, at clusterProcess, room made) *decided {
	t.Helper()
	d := &decided{made: room}
	invites := at.url + "/api/rooms/" + room.Room + "/invites"
	type code struct{ Code string }
	type guest struct{ Token string }
	redeem := func(code, name string) string {
		return post[guest](t, at.url+"/api/invites/"+code+"/redeem", "", `{"name":"`+name+`"}`).Token
	}
	d.invite = post[code](t, invites, room.HostToken, `{"role":"listener","uses":2}`).Code
	redeem(d.invite, "Bo")
	d.barred = redeem(post[code](t, invites, room.HostToken, `{"role":"listener"}`).Code, "Mal")
	d.host = redeem(post[code](t, invites, room.HostToken, `{"role":"speaker"}`).Code, "Cy")
	ada, joined, _ := joinAt(t, at.url, room.Room, room.HostToken)
	require.Equal(t, "joined", joined["type"], joined)
	mal, joined, _ := joinAt(t, at.url, room.Room, d.barred)
	require.Equal(t, "joined", joined["type"], joined)
	require.Equal(t, "ok", said(t, ada, map[string]any{"type": "ban", "member": joined["member"]})["type"])
	cy, joined, _ := joinAt(t, at.url, room.Room, d.host)
	require.Equal(t, "speaker", joined["role"], joined)
	require.Equal(t, "ok", said(t, ada, map[string]any{"type": "pass-host", "member": joined["member"]})["type"])
	t.Cleanup(func() { _, _, _ = ada.Close(), mal.Close(), cy.Close() })
	return d
}

// keep makes invites until the node refuses, and remembers those that were acknowledged.
func (d *decided) keep(t *testing.T, at clusterProcess, enough chan<- struct{}) {
	for range 10_000 {
		status, text := get(t, http.MethodPost, at.url+"/api/rooms/"+d.Room+"/invites", clusterToken, `{"role":"listener"}`)
		if status != http.StatusCreated {
			return
		}
		var code struct{ Code string }
		if !assert.NoError(t, json.Unmarshal([]byte(text), &code)) {
			return
		}
		if d.kept = append(d.kept, code.Code); len(d.kept) == 5 {
			close(enough)
		}
	}
}

// holds checks at a node what was decided and acknowledged.
func (d *decided) holds(t *testing.T, at clusterProcess) {
	t.Helper()
	socket, refused, _ := joinAt(t, at.url, d.Room, d.barred)
	assert.Equal(t, "barred", refused["code"], refused)
	require.NoError(t, socket.Close())
	for _, code := range d.kept {
		status, body := get(t, http.MethodGet, at.url+"/api/invites/"+code, "", "")
		assert.Equal(t, http.StatusOK, status, "an acknowledged invite: %s", body)
	}
	socket, joined, _ := joinAt(t, at.url, d.Room, d.host)
	assert.Equal(t, "host", joined["role"], "who was made host is host: %v", joined)
	require.NoError(t, socket.Close())
}

// TestRoomsOutliveTheirNode kills a node while people are in its room, or stops it for longer
// than the others wait.
func TestRoomsOutliveTheirNode(t *testing.T) {
	realTime(t)
	t.Parallel()
	for name, how := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startProcessCluster(t)
			room := c.roomsOnAll(t, "closed")[2]
			lost, others := c.nodes[2], c.nodes[:2]
			d := decide(t, others[0], room)
			there, _, _ := joinAt(t, others[0].url, room.Room, clusterToken)
			defer there.Close()
			require.True(t, lost.has(there))

			enough, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				d.keep(t, others[0], enough)
			}()
			<-enough
			lost.signal(t, how)
			since := time.Now()
			<-done
			for i, n := range others {
				n.eventually(t, "/api/rooms/"+room.Room, http.StatusOK, "the room is on another node")
				if i == 0 {
					t.Logf("taken over after %v", time.Since(since)) // package cluster tests how soon
				}
				d.holds(t, n)
			}
			assert.EqualValues(t, c.rooms, roomsOn(t, others, c.rooms), "each room is on one node")
			uses := 0
			for _, n := range append(others, others...) {
				status, body := get(t, http.MethodPost, n.url+"/api/invites/"+d.invite+"/redeem", "", `{"name":"Di"}`)
				if status == http.StatusOK {
					uses++
				} else {
					assert.Equal(t, http.StatusGone, status, body)
				}
			}
			assert.Equal(t, 1, uses, "one of two uses was left")
			if how != syscall.SIGSTOP {
				return
			}

			lost.signal(t, syscall.SIGCONT)
			require.NoError(t, there.SetReadDeadline(time.Now().Add(clusterPatience)))
			var err error
			for err == nil {
				_, _, err = there.ReadMessage()
			}
			var timeout net.Error
			assert.NotErrorAs(t, err, &timeout, "whoever was on it is sent away")
			lost.eventually(t, "/readyz", http.StatusOK, "it is a node again")
			lost.eventually(t, "/api/rooms/"+room.Room, http.StatusOK, "and knows where the room is")
			assert.Positive(t, lost.metric(t, "earshot_fenced_total{"))
			d.holds(t, lost)
		})
	}
}

// comeInAtOnce has one account come into each room twice, by way of all nodes.
func (c *processCluster) comeInAtOnce(t *testing.T, rooms []made, token string) (sockets []*websocket.Conn) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 2 * len(rooms) {
		all.Go(func() {
			at := c.nodes[i%len(c.nodes)]
			socket, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(at.url, "http")+"/ws", nil)
			if !assert.NoError(t, err) {
				return
			}
			_ = resp.Body.Close()
			mu.Lock()
			sockets = append(sockets, socket)
			mu.Unlock()
			assert.NoError(t, socket.WriteJSON(map[string]any{"type": "hello", "id": "1", "version": 1, "token": token, "name": "Bo"}))
			assert.NoError(t, socket.WriteJSON(map[string]any{"type": "join", "id": "2", "room": rooms[i%len(rooms)].Room}))
			for {
				var answer map[string]any
				if socket.ReadJSON(&answer) != nil || answer["id"] == "2" { // it may have been replaced already
					return
				}
			}
		})
	}
	all.Wait()
	return sockets
}

// TestLoginsThatRaceLeaveOneSession has one account come in at three nodes at once, again and
// again: one session stays, and all nodes agree on which.
func TestLoginsThatRaceLeaveOneSession(t *testing.T) {
	realTime(t)
	t.Parallel()
	c := startProcessCluster(t)
	rooms := c.roomsOnAll(t, "open")
	invite := post[struct{ Code string }](t, c.nodes[0].url+"/api/invites", clusterToken, `{"name":"Bo"}`)
	member := post[struct{ Token, Key string }](t, c.nodes[1].url+"/api/invites/"+invite.Code+"/redeem", "", `{"name":"Bo"}`)
	present := func() (people int) {
		for _, room := range rooms {
			status, text := get(t, http.MethodGet, c.nodes[0].url+"/api/rooms/"+room.Room+"/members", clusterToken, "")
			require.Equal(t, http.StatusOK, status, text)
			var list struct{ Members []any }
			require.NoError(t, json.Unmarshal([]byte(text), &list))
			people += len(list.Members)
		}
		return people
	}
	for round := range 10 {
		sockets := c.comeInAtOnce(t, rooms, member.Token)
		require.Eventually(t, func() bool { return present() == 1 }, clusterPatience, 20*time.Millisecond, "round %d: one session stays", round)
		for _, s := range sockets {
			_ = s.Close()
		}
	}

	tokens := make([]string, 9)
	var all sync.WaitGroup
	for i := range tokens {
		all.Go(func() {
			status, text := get(t, http.MethodPost, c.nodes[i%len(c.nodes)].url+"/api/login", "", `{"key":"`+member.Key+`"}`)
			var answer struct{ Token string }
			if assert.Equal(t, http.StatusOK, status, text) && assert.NoError(t, json.Unmarshal([]byte(text), &answer)) {
				tokens[i] = answer.Token
			}
		})
	}
	all.Wait()
	for _, n := range c.nodes {
		assert.Eventually(t, func() bool {
			valid := 0
			for _, token := range tokens {
				if status, _ := get(t, http.MethodGet, n.url+"/api/me", token, ""); status == http.StatusOK {
					valid++
				}
			}
			return valid == 1
		}, clusterPatience, 50*time.Millisecond, "one of the logins counts, at every node")
	}
}

// TestRunAgainstACluster plays a crowd against one node of three: it follows the redirects,
// and WHIP and WHEP go by way of nodes that do not have the room.
func TestRunAgainstACluster(t *testing.T) {
	realTime(t)
	t.Parallel()
	c := startProcessCluster(t)
	rooms := c.roomsOnAll(t, "closed")
	path := file(t, "rooms.yaml", `
name: rooms over nodes
rooms: 6
room: {capacity: 10, slots: 3}
cast:
  - {role: speaker, count: 1, audio: "`+voice(t)+`"}
  - {role: listener, count: 3, arrive: {within: 200ms, shape: linear}}
hold: 1s
thresholds:
  joined: ["rate == 1"]
  delivered: ["rate >= 0.99"]
`)
	before := c.nodes[0].metric(t, "earshot_redirects_total{")
	stdout, stderr, code := honestly(t, "run", path, "--target", c.nodes[0].url, "--token", clusterToken)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	assert.Greater(t, c.nodes[0].metric(t, "earshot_redirects_total{"), before, "the crowd was sent to other nodes")

	way := "/rooms/" + rooms[0].Room
	stdout, stderr, code = honestly(t, "run", small(t, "  joined: [\"rate == 1\"]\n  delivered: [\"rate >= 0.99\"]\n"), "--driver", "whep",
		"--whip-url", c.nodes[1].url+way+"/whip", "--whep-url", c.nodes[2].url+way+"/whep", "--token", clusterToken)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	for _, n := range c.nodes[1:] {
		assert.Positive(t, n.metric(t, `earshot_requests_passed_total{outcome="answered"}`))
		assert.Zero(t, n.metric(t, `earshot_requests_passed_total{outcome="failed"}`))
	}
}

// TestRunInARoomLargerThanItsNode plays a room for ten people on nodes that are for four each.
// All of them hear everything, over WebSocket, and by WHEP by way of any node.
func TestRunInARoomLargerThanItsNode(t *testing.T) {
	realTime(t)
	t.Parallel()
	c := startProcessCluster(t, "--seats", "4")
	room := c.roomsOnAll(t, "closed")[0].Room
	path := file(t, "large.yaml", `
name: a room larger than its node
room: {capacity: 10, slots: 3}
cast:
  - {role: speaker, count: 1, audio: "`+voice(t)+`"}
  - {role: listener, count: 9, arrive: {within: 500ms, shape: linear}}
hold: 2s
thresholds:
  joined: ["rate == 1"]
  delivered: ["rate >= 0.99"]
`)
	elsewhere := func() (opened float64) {
		for _, n := range c.nodes {
			opened += n.metric(t, `earshot_remote_ears_total{outcome="opened"}`)
			assert.Zero(t, n.metric(t, "earshot_trunk_gaps_total"), "nothing was missed")
			assert.Zero(t, n.metric(t, "earshot_roster_mismatches_total"))
		}
		return opened
	}
	stdout, stderr, code := honestly(t, "run", path, "--target", c.nodes[0].url, "--token", clusterToken)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	first := elsewhere()
	assert.Positive(t, first, "ears were on other nodes")
	c.awaitFree(t)
	stdout, stderr, code = honestly(t, "run", path, "--driver", "whep", "--whip-url", c.nodes[1].url+"/rooms/"+room+"/whip",
		"--whep-url", c.nodes[2].url+"/rooms/"+room+"/whep", "--token", clusterToken)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	assert.Greater(t, elsewhere(), first)
}

// TestClusterLosesItsNATSServer takes the NATS server away for so long that nodes let go of
// their rooms, and brings it back.
func TestClusterLosesItsNATSServer(t *testing.T) {
	realTime(t)
	t.Parallel()
	for name, how := range map[string]syscall.Signal{"killed, and started again": syscall.SIGKILL, "stopped, and continued": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startProcessCluster(t)
			room := c.roomsOnAll(t, "closed")[1]
			d := decide(t, c.nodes[0], room)
			enough := make(chan struct{})
			go func() {
				<-enough
				_ = c.nats.cmd.Process.Signal(how) // whether it failed shows below
			}()
			d.keep(t, c.nodes[2], enough)
			for _, n := range c.nodes {
				n.eventually(t, "/readyz", http.StatusServiceUnavailable, "a node that is cut off takes nobody")
				status, body := get(t, http.MethodPost, n.url+"/api/rooms", clusterToken, `{"name":"Late"}`)
				assert.Equal(t, http.StatusServiceUnavailable, status, "nothing is acknowledged: %s", body)
				assert.Positive(t, n.metric(t, "earshot_fenced_total{"), "it let go of its rooms")
			}
			if how == syscall.SIGKILL {
				_ = c.nats.cmd.Wait()
				c.startNATS(t)
			} else {
				c.nats.signal(t, syscall.SIGCONT)
			}
			for _, n := range c.nodes {
				n.eventually(t, "/readyz", http.StatusOK, "it is a node again")
				n.eventually(t, "/api/rooms/"+room.Room, http.StatusOK, "the room is back")
				d.holds(t, n)
			}
			assert.EqualValues(t, c.rooms, roomsOn(t, c.nodes, c.rooms), "each room is on one node")
		})
	}
}

// roomsOn is how many rooms nodes have. It waits until they are as many as that, since they come
// back one after the other.
func roomsOn(t *testing.T, nodes []clusterProcess, all int) (sum float64) {
	t.Helper()
	for end := time.Now().Add(clusterPatience); ; time.Sleep(100 * time.Millisecond) {
		sum = 0
		for _, n := range nodes {
			sum += n.metric(t, "earshot_rooms ")
		}
		if sum == float64(all) || !time.Now().Before(end) {
			return sum
		}
	}
}
