//go:build unix

package nodes_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/trunk"
)

// trunkTurn is how many frames of each voice are said in a row with a hall, or without one.
const trunkTurn = 100

// BenchmarkTrunk is what a hall on another node costs a room with two voices, and how much later it hears them than the
// room's own node: with both nodes' ends and the NATS server between them in this process. There is a hall in one turn, and
// none in the next; the nodes' own traffic goes on.
func BenchmarkTrunk(b *testing.B) {
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: b.TempDir(), NoSigs: true, NoFastProducerStall: true})
	require.NoError(b, err)
	ns.Start()
	b.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	require.True(b, ns.ReadyForConnections(time.Minute))
	join := func(name string) *cluster.Cluster {
		c, err := cluster.Join(b.Context(), cluster.Config{
			URL: ns.ClientURL(), Self: cluster.Node{ID: name, URL: "http://192.0.2.1:7080", Seats: 100, Started: time.Now()},
			Load: func() cluster.Load { return cluster.Load{} }, Told: func(string, []byte) func() { return nil }, Changed: func() {},
			Returned: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
		})
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, c.Leave(context.Background())) })
		return c
	}
	stageNode, hallNode := join("stage"), join("hall")
	newRoom := func() (*fanout.Router, *arrivalsEar) {
		shards, err := fanout.NewShards(fanout.ShardsConfig{Count: 1})
		require.NoError(b, err)
		b.Cleanup(shards.Close)
		room, err := fanout.New(fanout.Config{Shards: shards})
		require.NoError(b, err)
		b.Cleanup(room.Close)
		ear := &arrivalsEar{at: map[uint32]time.Time{}}
		_, err = room.Subscribe(ear, fanout.SubscribeOptions{Sections: room.Slots()})
		require.NoError(b, err)
		return room, ear
	}
	here, hereEar := newRoom()
	there, thereEar := newRoom()

	sender := trunk.NewSender(trunk.SenderConfig{Send: func(data []byte, _ bool) { _ = stageNode.Publish("es.t.bench", data) }, Now: time.Now})
	stopReports, err := stageNode.Subscribe("es.u.bench", func(data []byte) {
		var r trunk.Report
		if json.Unmarshal(data, &r) == nil {
			sender.Heard(r)
		}
	})
	require.NoError(b, err)
	defer stopReports()
	_, err = here.Subscribe(sender, fanout.SubscribeOptions{Sections: here.Slots() + 1, Relay: true})
	require.NoError(b, err)
	var talkers []*fanout.Publisher
	for talker := range uint32(2) {
		p, err := here.Publish(talker + 1)
		require.NoError(b, err)
		talkers = append(talkers, p)
	}

	said, round := uint32(0), uint32(0)
	turn := func() (used, took time.Duration) {
		began, before := time.Now(), cpuTime(b)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range trunkTurn {
			<-tick.C
			for _, t := range talkers {
				payload := make([]byte, 80)
				binary.BigEndian.PutUint32(payload, said)
				t.Push(fanout.Frame{Seq: uint16(round), Timestamp: round * 960, Level: 20, Payload: payload})
				said++
			}
			round++
		}
		return cpuTime(b) - before, time.Since(began)
	}
	withHall := func(say func()) {
		hall := trunk.NewReceiver(trunk.ReceiverConfig{Name: fmt.Sprint("hall ", said), Room: silentRoom{there}, Now: time.Now, Report: func(r trunk.Report) {
			if data, err := json.Marshal(r); err == nil {
				_ = hallNode.Publish("es.u.bench", data)
			}
		}})
		unsubscribe, err := hallNode.Subscribe("es.t.bench", hall.Handle)
		require.NoError(b, err)
		stop := make(chan struct{})
		var ticking sync.WaitGroup
		ticking.Go(func() { every(stop, trunk.TickEvery, func() { hall.Tick(); sender.Tick() }) })
		<-hall.Begun()
		say()
		close(stop)
		ticking.Wait()
		hall.Close()
		unsubscribe()
		require.Eventually(b, func() bool { _, halls := sender.Ears(); return halls == 0 }, time.Minute, time.Millisecond)
	}
	turn() // everybody has come
	var cores []float64
	for b.Loop() {
		var with, without, took time.Duration
		without, _ = turn()
		withHall(func() { with, took = turn() })
		cores = append(cores, (with-without).Seconds()/took.Seconds())
	}
	later := thereEar.laterThan(hereEar)
	require.NotEmpty(b, later)
	slices.Sort(cores)
	b.ReportMetric(cores[len(cores)/2], "cores/room-and-node")
	b.ReportMetric(later[len(later)/2].Seconds()*1000, "p50-ms-later")
	b.ReportMetric(later[len(later)*99/100].Seconds()*1000, "p99-ms-later")
	b.ReportMetric(0, "ns/op") // which would be how long two turns are
}

// arrivalsEar notes when each frame comes.
type arrivalsEar struct {
	mu sync.Mutex
	at map[uint32]time.Time
}

// Send implements fanout.Sink.
func (e *arrivalsEar) Send(_ fanout.SendBatch, packets []fanout.Packet) (failed int) {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range packets {
		e.at[binary.BigEndian.Uint32(p.Payload)] = now
	}
	return 0
}

// laterThan returns how much later this ear had each frame that both had, the least first.
func (e *arrivalsEar) laterThan(other *arrivalsEar) (later []time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	other.mu.Lock()
	defer other.mu.Unlock()
	for frame, at := range e.at {
		if first, both := other.at[frame]; both {
			later = append(later, at.Sub(first))
		}
	}
	slices.Sort(later)
	return later
}
