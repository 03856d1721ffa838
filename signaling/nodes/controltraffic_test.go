//go:build unix

package nodes_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/internal/scale"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/trunk"
	"github.com/earshot-audio/earshot/signaling/liveroom"
)

var scaleFigures = flag.String("scale", "", "simulate the control traffic of up to 50 nodes, and write what NATS carries to this file (docs/scale.csv)")

// simulation is nodes without people or audio, whose control traffic is real: its messages, and the
// NATS server that carries them. People and talkers are simulated.
type simulation struct {
	control scale.Control
	nodes   []*cluster.Cluster
	heard   atomic.Uint64 // arrivals, by all nodes
	halls   []*trunk.Receiver
}

// simulate lets nodes talk for a while, and returns how many messages a second NATS took and delivered,
// and the cores that all of it used.
func simulate(t *testing.T, control scale.Control, d time.Duration) (published, delivered, cores float64) {
	t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoFastProducerStall: true})
	require.NoError(t, err)
	ns.Start()
	defer func() { ns.Shutdown(); ns.WaitForShutdown() }()
	require.True(t, ns.ReadyForConnections(time.Minute))
	s := &simulation{control: control}
	defer func() {
		var leaving sync.WaitGroup
		for _, c := range s.nodes {
			leaving.Go(func() { _ = c.Leave(context.Background()) }) // NATS is stopped then
		}
		leaving.Wait()
	}()
	for i := range control.Nodes {
		c, err := cluster.Join(t.Context(), cluster.Config{
			URL: ns.ClientURL(), Self: cluster.Node{ID: fmt.Sprintf("node%06d", i), URL: "http://192.0.2.1:7080", Seats: 20_000, Started: time.Now()},
			Load: func() cluster.Load { return cluster.Load{Taken: 12_345, Rooms: 7} }, Told: s.told, Changed: func() {},
			Returned: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		s.nodes = append(s.nodes, c)
	}
	require.Eventually(t, func() bool {
		for _, c := range s.nodes {
			if len(c.Nodes()) != control.Nodes {
				return false
			}
		}
		return true
	}, time.Minute, 10*time.Millisecond, "all nodes know of one another")
	stop := make(chan struct{})
	var running sync.WaitGroup
	defer running.Wait()
	defer close(stop)
	running.Go(func() { s.people(stop) })
	for n := range control.Trunks {
		s.trunk(t, n, stop, &running)
	}
	require.Eventually(t, func() bool {
		for _, h := range s.halls {
			if h.Stats().Frames == 0 {
				return false
			}
		}
		return s.heard.Load() > 0
	}, time.Minute, 10*time.Millisecond, "all halls have frames, and people come")
	from, err := ns.Varz(nil)
	require.NoError(t, err)
	used := cpuTime(t)
	time.Sleep(d)
	to, err := ns.Varz(nil)
	require.NoError(t, err)
	seconds := to.Now.Sub(from.Now).Seconds()
	return float64(to.InMsgs-from.InMsgs) / seconds, float64(to.OutMsgs-from.OutMsgs) / seconds, (cpuTime(t) - used).Seconds() / seconds
}

func (s *simulation) told(kind string, data []byte) (slow func()) {
	var a struct {
		Account string `json:"account"`
		liveroom.Arrival
	}
	if kind == "arrived" && json.Unmarshal(data, &a) == nil && a.Account != "" {
		s.heard.Add(1)
	}
	return nil
}

// people come in at nodes in turn, at the rate that is owed.
func (s *simulation) people(stop <-chan struct{}) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	begun, came := time.Now(), 0
	var coming sync.WaitGroup
	defer coming.Wait()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for ; came < int(s.control.Arrivals*time.Since(begun).Seconds()); came++ {
			at := s.nodes[came%len(s.nodes)]
			data, err := json.Marshal(map[string]any{"account": fmt.Sprintf("account%019d", came), "stamp": time.Now().UnixMicro(), "server": at.Self().ID})
			if err == nil {
				coming.Go(func() { at.TellAndWait(context.Background(), "arrived", data, time.Second) })
			}
		}
	}
}

// trunk has a room on one node, with halls on others.
func (s *simulation) trunk(t *testing.T, n int, stop <-chan struct{}, running *sync.WaitGroup) {
	t.Helper()
	id := fmt.Sprintf("trunk%021d", n)
	stage := s.nodes[n%len(s.nodes)]
	sender := trunk.NewSender(trunk.SenderConfig{Send: func(data []byte, _ bool) { _ = stage.Publish("es.t."+id, data) }, Now: time.Now})
	_, err := stage.Subscribe("es.u."+id, func(data []byte) {
		var r trunk.Report
		if json.Unmarshal(data, &r) == nil {
			sender.Heard(r)
		}
	})
	require.NoError(t, err)
	shards, err := fanout.NewShards(fanout.ShardsConfig{Count: 1})
	require.NoError(t, err)
	t.Cleanup(shards.Close)
	for i := range s.control.Halls {
		at := s.nodes[(n+1+i)%len(s.nodes)]
		name := at.Self().ID
		router, err := fanout.New(fanout.Config{Shards: shards, Now: time.Now})
		require.NoError(t, err)
		h := trunk.NewReceiver(trunk.ReceiverConfig{Name: name, Room: silentRoom{router}, Now: time.Now, Report: func(r trunk.Report) {
			if data, err := json.Marshal(r); err == nil {
				_ = at.Publish("es.u."+id, data)
			}
		}})
		s.halls = append(s.halls, h)
		t.Cleanup(h.Close)
		_, err = at.Subscribe("es.t."+id, h.Handle)
		require.NoError(t, err)
		var open func() // and again, where a busy machine made the hall look gone
		open = func() {
			sender.Add(name, 0, trunk.EarEvents{Ended: open, Move: func() {}})
		}
		open()
		running.Go(func() { every(stop, trunk.TickEvery, func() { h.Tick() }) })
	}
	running.Go(func() { every(stop, trunk.TickEvery, func() { sender.Tick() }) })
	running.Go(func() { s.talk(sender, stop) })
}

// talk sends the frames of the talkers that are owed.
func (s *simulation) talk(sender *trunk.Sender, stop <-chan struct{}) {
	begun, sent := time.Now(), 0
	payload := []byte(strings.Repeat("o", 80))
	every(stop, 20*time.Millisecond, func() {
		for ; sent < int(50*time.Since(begun).Seconds()); sent++ {
			for talker := range int(s.control.Voices) {
				frame := fanout.Frame{Talker: uint32(talker + 1), Seq: uint16(sent), Timestamp: uint32(sent) * 960, Payload: payload}
				sender.Send(nil, []fanout.Packet{{Frame: &frame}})
			}
		}
	})
}

func every(stop <-chan struct{}, d time.Duration, do func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			do()
		}
	}
}

// silentRoom is a room without ears.
type silentRoom struct{ *fanout.Router }

func (silentRoom) SetAudienceHold(time.Duration) {}

// TestControlTrafficIsAsModelled has nodes talk over NATS, and counts. How often NATS passes each message
// on is what the model says; how many there are each second depends on the machine, too.
func TestControlTrafficIsAsModelled(t *testing.T) {
	control := scale.Control{Nodes: 8, Arrivals: 50, Trunks: 2, Halls: 4, Voices: 2}
	published, delivered, _ := simulate(t, control, time.Second)
	assertModelled(t, control, published, delivered)
}

// assertModelled holds how often NATS passes each message on against the model. Of arrivals there may be fewer messages, or none,
// where they share them: then the others count for more.
func assertModelled(t *testing.T, control scale.Control, published, delivered float64) {
	t.Helper()
	others := control
	others.Arrivals = 0
	ratio, least, most := delivered/published, control.Delivered()/control.Published(), others.Delivered()/others.Published()
	assert.Greater(t, ratio, 0.8*least, "%+v: %.0f messages a second, %.0f deliveries", control, published, delivered)
	assert.Less(t, ratio, 1.2*most, "%+v: %.0f messages a second, %.0f deliveries", control, published, delivered)
}

// TestControlTrafficOfFiftyNodes writes docs/scale.csv.
func TestControlTrafficOfFiftyNodes(t *testing.T) {
	if *scaleFigures == "" && os.Getenv("EARSHOT_SOAK") == "" {
		t.Skip("it takes a minute: give -scale FILE, or set EARSHOT_SOAK=1")
	}
	text := "nodes,arrivals,trunks,halls,voices,published,delivered,cpu\n"
	for _, c := range []scale.Control{
		{Nodes: 5, Arrivals: 100, Trunks: 1, Halls: 4, Voices: 2},
		{Nodes: 10, Arrivals: 100, Trunks: 2, Halls: 4, Voices: 2},
		{Nodes: 20, Arrivals: 100, Trunks: 2, Halls: 9, Voices: 2},
		{Nodes: 35, Arrivals: 100, Trunks: 1, Halls: 34, Voices: 2},
		{Nodes: 50, Arrivals: 20, Trunks: 1, Halls: 49, Voices: 2},
		{Nodes: 50, Arrivals: 200, Trunks: 1, Halls: 49, Voices: 2},
	} {
		published, delivered, cpu := simulate(t, c, 5*time.Second)
		text += fmt.Sprintf("%d,%g,%d,%d,%g,%.0f,%.0f,%.3f\n", c.Nodes, c.Arrivals, c.Trunks, c.Halls, c.Voices, published, delivered, cpu)
		t.Logf("%+v: modelled %.0f and %.0f, measured %.0f and %.0f a second, %.2f cores", c, c.Published(), c.Delivered(), published, delivered, cpu)
		assertModelled(t, c, published, delivered)
	}
	if *scaleFigures != "" {
		require.NoError(t, os.WriteFile(*scaleFigures, []byte(text), 0o644))
	}
}
