//go:build unix

package rtc

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/mediaport"
)

// benchmarkedEars is how many ears the benchmarks here have, in all rooms together.
const benchmarkedEars = 5000

// benchmarkedRooms are rooms that share shards.
type benchmarkedRooms struct {
	b       *testing.B
	shards  *fanout.Shards
	routers []*fanout.Router
	mics    []*fanout.Publisher
	said    int
}

// openRooms opens so many rooms for the ears, with a batch for each shard.
func openRooms(b *testing.B, rooms, shards int, batch func(shard int) *sendBatch) *benchmarkedRooms {
	b.Helper()
	all, err := fanout.NewShards(fanout.ShardsConfig{
		Count: shards, Prefetch: prefetchEars,
		NewSendBatch: func(shard int) fanout.SendBatch { return batch(shard) },
	})
	require.NoError(b, err)
	b.Cleanup(all.Close)
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(b, err)
	b.Cleanup(func() { _ = sink.Close() })
	to := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	r := &benchmarkedRooms{b: b, shards: all}
	for range rooms {
		router, err := fanout.New(fanout.Config{Shards: all, MaxAge: time.Hour})
		require.NoError(b, err)
		b.Cleanup(router.Close)
		for range benchmarkedEars / rooms {
			_, err := router.Subscribe(sealedEar(b, srtp.GCM128, to, 1), fanout.SubscribeOptions{Sections: 1})
			require.NoError(b, err)
		}
		mic, err := router.Publish(1)
		require.NoError(b, err)
		r.routers, r.mics = append(r.routers, router), append(r.mics, mic)
	}
	return r
}

// say has somebody say a frame in each room, with a pause after each.
func (r *benchmarkedRooms) say(pause time.Duration) {
	for _, mic := range r.mics {
		mic.Push(fanout.Frame{Seq: uint16(r.said), Timestamp: uint32(960 * r.said), Level: 30, Payload: make([]byte, 80)})
		if pause > 0 {
			time.Sleep(pause)
		}
	}
	for i := range r.mics {
		r.await(i)
	}
	r.said++
}

// await waits until a room has sent all that was said.
func (r *benchmarkedRooms) await(room int) {
	for want := uint64(r.said+1) * benchmarkedEars / uint64(len(r.routers)); ; time.Sleep(20 * time.Microsecond) {
		if s := r.routers[room].Stats(); s.Sent+s.Failed >= want {
			return
		}
	}
}

// measure reports the CPU time that a packet takes.
func (r *benchmarkedRooms) measure(pause time.Duration) {
	r.say(pause)
	r.b.ReportAllocs()
	r.b.ResetTimer()
	before := processTime(r.b)
	for range r.b.N {
		r.say(pause)
	}
	used := processTime(r.b) - before
	r.b.ReportMetric(float64(used.Nanoseconds())/float64(r.b.N*benchmarkedEars), "cpu-ns/packet")
}

// processTime is the CPU time of this process.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkShards is a frame for 5,000 ears on so many shards, sealed and not sent. What
// shards share on the way of a packet would show as CPU time that grows with them, once
// there are as many cores.
func BenchmarkShards(b *testing.B) {
	for _, shards := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprint("shards=", shards), func(b *testing.B) {
			openRooms(b, 1, shards, func(int) *sendBatch { return batchTo(&discard{}) }).measure(0)
		})
	}
}

// BenchmarkRooms is a frame for 5,000 ears in one room or in fifty, sent to a socket that
// nobody reads.
func BenchmarkRooms(b *testing.B) {
	p, err := mediaport.Open(mediaport.Config{Address: "127.0.0.1:0", Sockets: 2})
	require.NoError(b, err)
	defer func() { _ = p.Close() }()
	for _, row := range []struct {
		name  string
		rooms int
		pause time.Duration
	}{
		{"one room", 1, 0},
		{"one room, a frame in 20 ms", 1, 20 * time.Millisecond},
		{"fifty rooms, all at once", 50, 0},
		{"fifty rooms, one after another in 20 ms", 50, 400 * time.Microsecond},
	} {
		b.Run(row.name, func(b *testing.B) {
			openRooms(b, row.rooms, 2, func(shard int) *sendBatch { return batchOf(p, shard) }).measure(row.pause)
		})
	}
}
