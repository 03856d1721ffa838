package endtoend_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/internal/calm"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/nodes"
	"github.com/earshot-audio/earshot/store"
)

// clusterNode is a server of a cluster in this process.
type clusterNode struct {
	t        testing.TB
	id, url  string
	registry *prometheus.Registry
	leave    func()
}

// startNodes starts servers that share a NATS server, with so many seats.
func startNodes(t testing.TB, seats ...int) (all []*clusterNode) {
	t.Helper()
	nats, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true})
	require.NoError(t, err)
	nats.Start()
	t.Cleanup(func() { nats.Shutdown(); nats.WaitForShutdown() })
	require.True(t, nats.ReadyForConnections(patience))
	for _, n := range seats {
		all = append(all, startNode(t, nats.ClientURL(), n))
	}
	return all
}

func startNode(t testing.TB, nats string, seats int) *clusterNode {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n := &clusterNode{t: t, id: cluster.NewID(), registry: prometheus.NewRegistry()}
	kept, err := store.Open(t.Context(), store.Config{URL: nats, Node: n.id, Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { _ = kept.Close() })
	media, err := rtc.New(rtc.Config{Media: "127.0.0.1:0", Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, media.Close()) })
	node, err := nodes.New(nodes.Config{
		NATS: nats, Self: cluster.Node{ID: n.id, Seats: seats, Started: time.Now()}, Store: kept, Clock: time.Now, Log: log, Metrics: n.registry,
	})
	require.NoError(t, err)
	server, err := signaling.New(signaling.Config{
		OperatorToken: operatorToken, Key: []byte(strings.Repeat("k", 32)), Media: media, Log: log, Registry: n.registry, Version: "test",
		Store: kept, Persister: kept, Cluster: node, Limits: auth.Limits{Exempt: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	require.NoError(t, err)
	front := httptest.NewServer(server.Handler())
	n.url = front.URL
	require.NoError(t, server.Join(t.Context(), front.URL))
	left := false
	n.leave = func() {
		if left {
			return
		}
		left = true
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, server.Shutdown(ctx))
		front.Close()
	}
	t.Cleanup(n.leave)
	return n
}

// stop has a node leave, and returns what is closed when it has.
func (n *clusterNode) stop() (left chan struct{}) {
	left = make(chan struct{})
	go func() {
		defer close(left)
		n.leave()
	}()
	return left
}

// drain has a node take no more rooms, or take them again, and waits until another, which it
// asks for it, knows; at first, that it knows the node at all.
func (n *clusterNode) drain(on bool, knows *clusterNode) {
	n.t.Helper()
	method := http.MethodPost
	if !on {
		method = http.MethodDelete
	}
	ask := func(method, path string, draining bool) string {
		r, err := http.NewRequestWithContext(n.t.Context(), method, knows.url+path, http.NoBody)
		require.NoError(n.t, err)
		r.Header.Set("Authorization", "Bearer "+operatorToken)
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		require.NoError(n.t, err)
		defer resp.Body.Close()
		require.Equal(n.t, 2, resp.StatusCode/100)
		var list struct {
			Nodes []struct {
				Node     string
				Draining bool
			}
		}
		_ = json.NewDecoder(resp.Body).Decode(&list) // empty after a drain
		for _, o := range list.Nodes {
			if o.Node == n.id && o.Draining == draining {
				return o.Node
			}
		}
		return ""
	}
	known := func(draining bool) {
		require.Eventually(n.t, func() bool { return ask(http.MethodGet, "/api/nodes", draining) != "" }, patience, 10*time.Millisecond)
	}
	known(!on)
	ask(method, "/api/nodes/"+n.id+"/drain", on)
	known(on)
}

// operatorPage returns what a node shows to its operator.
func (n *clusterNode) operatorPage() string {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, n.url+"/operator/now", http.NoBody)
	require.NoError(n.t, err)
	r.Header.Set("Authorization", "Bearer "+operatorToken)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	require.NoError(n.t, err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	require.NoError(n.t, err)
	require.Equal(n.t, http.StatusOK, resp.StatusCode, string(page))
	return string(page)
}

// metric sums what a node says under a name, with a label's value if there is one.
func (n *clusterNode) metric(name, label string) (sum float64) {
	n.t.Helper()
	families, err := n.registry.Gather()
	require.NoError(n.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// guestsAt makes a room that is on the first node, with guests.
func guestsAt(t *testing.T, all []*clusterNode, roles ...string) (room, host string, tokens []string) {
	t.Helper()
	for _, n := range all[1:] {
		n.drain(true, all[0])
	}
	room, host, tokens = guests(t, all[0].url, roles...)
	for _, n := range all[1:] {
		n.drain(false, all[0])
	}
	return room, host, tokens
}

// TestGhostInAHallElsewhereIsCutOff has everybody's ears but the host's on another node than
// the room: what is acknowledged holds there, within five packets, also for a client that
// obeys nobody.
func TestGhostInAHallElsewhereIsCutOff(t *testing.T) {
	t.Parallel()
	for _, row := range cuts() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			all := startNodes(t, 1, 100)
			room, hostToken, tokens := guestsAt(t, all, "listener", "listener")
			in := func(token, role string) *member {
				return enterAs(t, all[0].url, map[string]any{"token": token}, map[string]any{"room": room, "role": role, "name": role})
			}
			g := &ghost{url: all[0].url, room: room, host: in(hostToken, "host")}
			g.hostMic = openNumberedMic(t, g.host.exchange("mic"))
			third := in(tokens[0], "listener")
			g.third = listen(t, 3, third.exchange("ear"))
			g.self = in(tokens[1], "listener")
			g.ear, _ = listenRecorded(t, g.self.exchange("ear"))
			assert.EqualValues(t, 2, all[1].metric("earshot_trunk_ears", "of_others"), "both ears are on the other node")
			g.self.ask(map[string]any{"type": "raise-hand"})
			g.host.ask(map[string]any{"type": "promote", "member": g.self.id})
			g.mic = openNumberedMic(t, g.self.exchange("mic"))
			require.Eventually(t, func() bool { return g.mic.after(g.third.all(), g.self.talker(), time.Time{}) > 5 }, patience, 10*time.Millisecond)
			require.Eventually(t, func() bool { return g.hostMic.after(g.ear.all(), g.host.talker(), time.Time{}) > 5 }, patience, 10*time.Millisecond)
			assert.Zero(t, g.mic.after(g.ear.all(), g.self.talker(), time.Time{}), "nobody hears their own mic")

			row.act(g)
			acked := time.Now()
			time.Sleep(settled)
			g.isCutOff(t, row, acked)
			assert.Zero(t, all[0].metric("earshot_roster_mismatches", ""))
		})
	}
}

// TestEarOfADrainedNodeMoves drains the node that has somebody's ear, and not the room: they are told,
// and the old ear plays on beside the new one. What ends the one ends the other, too, though the
// client never closes it.
func TestEarOfADrainedNodeMoves(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		act  func(host, self *member, node *clusterNode)
		goOn bool // the new ear does
	}{
		{name: "kick", act: func(host, self *member, _ *clusterNode) {
			host.ask(map[string]any{"type": "remove", "member": self.id})
		}},
		{name: "hangup", act: func(_, self *member, _ *clusterNode) {
			self.ask(map[string]any{"type": "hangup", "media": "ear"})
		}},
		{name: "end", act: func(host, _ *member, _ *clusterNode) { host.ask(map[string]any{"type": "end"}) }},
		{name: "the node stops", goOn: true, act: func(_, _ *member, node *clusterNode) { node.leave() }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			all := startNodes(t, 1, 100)
			room, hostToken, tokens := guestsAt(t, all, "listener")
			in := func(token, role string) *member {
				return enterAs(t, all[0].url, map[string]any{"token": token}, map[string]any{"room": room, "role": role, "name": role})
			}
			host, self := in(hostToken, "host"), in(tokens[0], "listener")
			mic := openNumberedMic(t, host.exchange("mic"))
			hears := func(ear *listener, since time.Time) func() bool {
				return func() bool { return mic.after(ear.all(), host.talker(), since) > mostAfter }
			}
			old, _ := listenRecorded(t, self.exchange("ear"))
			require.EqualValues(t, 1, all[1].metric("earshot_trunk_ears", "of_others"), "the ear is on the other node")
			assert.Contains(t, all[0].operatorPage(), `<span data-text="operator.ears" data-n="1"></span> <span data-text="operator.on_nodes" data-n="1"></span>`)
			require.Eventually(t, hears(old, time.Time{}), patience, 10*time.Millisecond)

			all[1].drain(true, all[0])
			<-self.moving
			next, _ := listenRecorded(t, self.exchange("ear"))
			answered := time.Now()
			require.Eventually(t, hears(next, answered), patience, 10*time.Millisecond)
			require.Eventually(t, hears(old, answered), patience, 10*time.Millisecond, "it plays on")

			row.act(host, self, all[1])
			acked := time.Now()
			time.Sleep(settled)
			assert.LessOrEqual(t, mic.after(old.all(), host.talker(), acked), mostAfter)
			assert.Equal(t, row.goOn, hears(next, acked)())
			assert.Zero(t, all[0].metric("earshot_roster_mismatches", ""))
		})
	}
}

// TestPeopleAreToldWhereTheirRoomHasMoved stops the node that has a room: another has it by the time that
// its people are told so.
func TestPeopleAreToldWhereTheirRoomHasMoved(t *testing.T) {
	t.Parallel()
	all := startNodes(t, 100, 100)
	room, hostToken, _ := guestsAt(t, all)
	host := enterAs(t, all[0].url, map[string]any{"token": hostToken}, map[string]any{"room": room, "role": "host", "name": "host"})
	all[0].leave()
	at := <-host.moved
	assert.Equal(t, strings.Replace(all[1].url, "http", "ws", 1)+"/ws", at)
	again := dialMember(t, all[1].url, map[string]any{"token": hostToken})
	require.Eventually(t, func() bool {
		return again.put(map[string]any{"type": "join", "room": room, "role": "host", "name": "host"})["type"] == "joined"
	}, patience, 10*time.Millisecond)
}

// TestListenerOnAnotherNodeHearsByteForByte has WHEP listeners of one room on three nodes, by
// way of each node.
func TestListenerOnAnotherNodeHearsByteForByte(t *testing.T) {
	t.Parallel()
	all := startNodes(t, 2, 2, 100)
	room, hostToken, tokens := guestsAt(t, all, "listener", "listener", "listener", "listener", "listener", "listener")
	bearer := func(n *clusterNode, media, token string) exchange {
		return func(offer string) string {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.url+"/rooms/"+room+"/"+media, strings.NewReader(offer))
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/sdp")
			resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
			require.NoError(t, err)
			defer resp.Body.Close()
			data, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusCreated, resp.StatusCode, string(data))
			return string(data)
		}
	}
	mic := publish(t, bearer(all[1], "whip", hostToken))
	var ears []*listener
	for i, token := range tokens {
		ears = append(ears, listen(t, 1, bearer(all[i%3], "whep", token)))
	}
	assert.Positive(t, all[1].metric("earshot_trunk_ears", "of_others")+all[2].metric("earshot_trunk_ears", "of_others"))
	assert.Positive(t, all[0].metric("earshot_trunk_ears", "elsewhere"))
	late := func() (frames float64) {
		for _, n := range all {
			frames += n.metric("earshot_trunk_late_total", "")
		}
		return frames
	}
	sent := frames(t, "speech.ogg", 150)
	heard := false
	calm.Play(5, func() (busy bool) {
		dropped, before := late(), make([]int, len(ears))
		for i, ear := range ears {
			before[i] = len(ear.all())
		}
		mic.say(sent, 30)
		require.Eventually(t, func() bool {
			whole := 0
			for i, ear := range ears {
				if len(ear.all()) >= before[i]+len(sent) {
					whole++
				}
			}
			return whole == len(ears) || late() > dropped
		}, patience, 10*time.Millisecond)
		if late() > dropped {
			t.Log("the machine was too busy: frames for other nodes came late, and were dropped")
			return true
		}
		for i, ear := range ears {
			requireHeard(t, sent, ear.wait(t, before[i]+len(sent))[before[i]:])
		}
		heard = true
		return false
	})
	require.True(t, heard, "frames for other nodes came late each time")
}

// TestRestartICEOfAnEarOnAnotherNode restarts ICE of an ear that is on another node than the
// room: it hears as before.
func TestRestartICEOfAnEarOnAnotherNode(t *testing.T) {
	t.Parallel()
	all := startNodes(t, 1, 100)
	room, hostToken, tokens := guestsAt(t, all, "listener")
	in := func(token, role string) *member {
		return enterAs(t, all[0].url, map[string]any{"token": token}, map[string]any{"room": room, "role": role, "name": role})
	}
	mic := openNumberedMic(t, in(hostToken, "host").exchange("mic"))
	self := in(tokens[0], "listener")
	ear := listen(t, 1, self.exchange("ear"))
	require.EqualValues(t, 1, all[1].metric("earshot_trunk_ears", "of_others"))
	ear.wait(t, 10)
	before := ear.pc.RemoteDescription().SDP
	old, err := sdp.Parse(before)
	require.NoError(t, err)
	for sentence, fragment := range map[string]string{"none": "", "one without credentials": "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"} {
		refused := self.put(map[string]any{"type": "restart-ice", "media": "ear", "fragment": fragment})
		assert.Equal(t, "error", refused["type"], "%s: %v", sentence, refused)
	}
	offer, err := ear.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	require.NoError(t, err)
	require.NoError(t, ear.pc.SetLocalDescription(offer))
	answered := self.ask(map[string]any{"type": "restart-ice", "media": "ear", "fragment": sdp.LastFragment(offer.SDP)})
	answer, err := sdp.ParseFragment(answered["fragment"].(string))
	require.NoError(t, err)
	assert.NotEqual(t, old.ICE(), answer.ICE)
	again := strings.NewReplacer(old.ICE().Ufrag, answer.ICE.Ufrag, old.ICE().Pwd, answer.ICE.Pwd).Replace(before)
	require.NoError(t, ear.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: again}))
	ear.wait(t, len(ear.all())+50)
	assert.Positive(t, mic.out.media.Load())
}
