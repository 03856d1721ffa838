//go:build unix

package rtc

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/mediaport"
	"github.com/earshot-audio/earshot/room/trunk"
)

// hallRoom is a router as a trunk feeds it.
type hallRoom struct{ *fanout.Router }

// SetAudienceHold implements trunk.HallRoom.
func (r hallRoom) SetAudienceHold(d time.Duration) { r.SetHold(d) }

// hallTurn is how many frames are said in a row by the one or the other.
const hallTurn = 10

// BenchmarkHall is what a packet costs a node that has a room, and what it costs one that has a hall of it: then
// with the trunk, its NATS server and the end at the other node, which are all in this process. They take turns.
func BenchmarkHall(b *testing.B) {
	p, err := mediaport.Open(mediaport.Config{Address: "127.0.0.1:0", Sockets: 2})
	require.NoError(b, err)
	defer func() { _ = p.Close() }()
	open := func() *benchmarkedRooms {
		return openRooms(b, 1, 2, func(shard int) *sendBatch { return batchOf(p, shard) })
	}
	single, hall := open(), open()
	hall.mics[0].Close()
	throughTrunk(b, hall)

	var ratios []float64
	cost := func(r *benchmarkedRooms) time.Duration {
		before := processTime(b)
		for range hallTurn {
			r.say(0)
		}
		return processTime(b) - before
	}
	cost(single)
	cost(hall)
	var all [2]time.Duration
	for b.Loop() {
		s, h := cost(single), cost(hall)
		all[0], all[1] = all[0]+s, all[1]+h
		ratios = append(ratios, s.Seconds()/h.Seconds())
	}
	slices.Sort(ratios)
	packets := float64(b.N * hallTurn * benchmarkedEars)
	b.ReportMetric(float64(all[0].Nanoseconds())/packets, "single-cpu-ns/packet")
	b.ReportMetric(float64(all[1].Nanoseconds())/packets, "hall-cpu-ns/packet")
	b.ReportMetric(ratios[len(ratios)/2], "of-a-single-node's")
}

// throughTrunk has a room hear its mic through a trunk.
func throughTrunk(b *testing.B, hall *benchmarkedRooms) {
	b.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true})
	require.NoError(b, err)
	ns.Start()
	b.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	require.True(b, ns.ReadyForConnections(time.Minute))
	connect := func() *nats.Conn {
		conn, err := nats.Connect(ns.ClientURL())
		require.NoError(b, err)
		b.Cleanup(conn.Close)
		return conn
	}
	stageConn, hallConn := connect(), connect()
	sender := trunk.NewSender(trunk.SenderConfig{Send: func(data []byte, _ bool) { _ = stageConn.Publish("stage", data) }, Now: time.Now})
	receiver := trunk.NewReceiver(trunk.ReceiverConfig{Name: "hall", Room: hallRoom{hall.routers[0]}, Report: sender.Heard, Now: time.Now})
	b.Cleanup(receiver.Close)
	_, err = hallConn.Subscribe("stage", func(m *nats.Msg) { receiver.Handle(m.Data) })
	require.NoError(b, err)
	require.NoError(b, hallConn.Flush())
	sender.Heard(trunk.Report{Hall: "hall", Silent: true})
	<-receiver.Begun()
	// The stage has a room of its own, whose only ear is the trunk.
	stage, err := fanout.New(fanout.Config{MaxAge: time.Hour, Shards: hall.shards})
	require.NoError(b, err)
	b.Cleanup(stage.Close)
	_, err = stage.Subscribe(sender, fanout.SubscribeOptions{Sections: stage.Slots() + 1, Relay: true})
	require.NoError(b, err)
	mic, err := stage.Publish(1)
	require.NoError(b, err)
	hall.mics[0] = mic
	stop := make(chan struct{})
	done := make(chan struct{})
	b.Cleanup(func() { close(stop); <-done })
	go func() { // as at the nodes
		defer close(done)
		tick := time.NewTicker(trunk.TickEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				sender.Tick()
				receiver.Tick()
			}
		}
	}()
}
