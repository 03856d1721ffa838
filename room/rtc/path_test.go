package rtc

import (
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/mediaport"
)

// From the frame that a mic gives the router to the datagrams that the kernel takes
// from its shards' sockets, what is allocated is the room's, and none of it a
// listener's.
func TestFrameAllocatesNothingPerEar(t *testing.T) {
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { _ = sink.Close() }()
	to := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	p, err := mediaport.Open(mediaport.Config{Address: "127.0.0.1:0", Sockets: 2})
	require.NoError(t, err)
	defer func() { assert.NoError(t, p.Close()) }()
	allocations := func(ears int) float64 {
		router := newRouter(t, fanout.Config{Queue: 1 << 20, MaxAge: time.Hour}, fanout.ShardsConfig{
			Count: 2, Prefetch: prefetchEars,
			NewSendBatch: func(shard int) fanout.SendBatch { return batchOf(p, shard) },
		})
		for range ears {
			_, err := router.Subscribe(sealedEar(t, srtp.GCM128, to, 1), fanout.SubscribeOptions{Sections: 1})
			require.NoError(t, err)
		}
		m, err := router.Publish(1)
		require.NoError(t, err)
		payload := make([]byte, 80)
		said := 0
		say := func() {
			m.Push(fanout.Frame{Seq: uint16(said), Timestamp: uint32(960 * said), Level: 30, Payload: payload})
			said++
			for s := router.Stats(); s.Sent+s.Failed < uint64(said*ears); s = router.Stats() {
				runtime.Gosched()
			}
		}
		for range 50 { // arenas, headers and queues grow to their sizes
			say()
		}
		return testing.AllocsPerRun(200, say)
	}
	few, many := allocations(2), allocations(300)
	assert.LessOrEqual(t, few, 2.0, "the frame itself, which every ear's history may keep")
	// On a busy machine a frame costs up to one more, however many listen.
	assert.Less(t, many-few, 298/10.0, "what 298 more listeners cost: not one each, and not one each in ten frames")
}

// Whatever signaling has in hand, packets flow.
func TestPacketsTakeNoLockOfSignaling(t *testing.T) {
	r := newTestRoom(t, leanEars, Config{}, 3)
	m, err := r.router.Publish(7)
	require.NoError(t, err)
	c := newCrowd(t)
	var all []*one
	for range 5 {
		all = append(all, c.join(r))
	}
	eventually(t, func() bool { return r.Stats().Ears == len(all) }, "all are subscribed")

	r.engine.mu.Lock()
	r.mu.Lock()
	r.engine.consents.mu.Lock()
	r.engine.handshakes.mu.Lock()
	for _, o := range all {
		o.ear.mu.Lock()
		o.ear.subscriber.mu.Lock()
		o.ear.endpoint.(*leanEndpoint).mu.Lock()
	}
	const frames = 50
	for i := range frames {
		m.Push(fanout.Frame{Seq: uint16(i), Timestamp: uint32(960 * i), Level: 30, Payload: fmt.Append(nil, i)})
		time.Sleep(time.Millisecond)
	}
	for _, o := range all {
		assert.Eventually(t, func() bool { return o.count() == frames }, patience, 2*time.Millisecond, "every frame arrives")
		o.ear.endpoint.(*leanEndpoint).mu.Unlock()
		o.ear.subscriber.mu.Unlock()
		o.ear.mu.Unlock()
	}
	r.engine.handshakes.mu.Unlock()
	r.engine.consents.mu.Unlock()
	r.mu.Unlock()
	r.engine.mu.Unlock()
}

func TestConnectedEarHasNoGoroutine(t *testing.T) {
	const ears = 40
	r := newTestRoom(t, leanEars, Config{}, 3)
	c := newCrowd(t)
	before := runtime.NumGoroutine()
	for range ears {
		c.join(r) // whose test client has one
	}
	eventually(t, func() bool { return r.Stats().Ears == ears }, "all are subscribed")
	// The condition has one as well, while it is looked at.
	eventually(t, func() bool { return runtime.NumGoroutine() <= before+ears+1 }, "the handshakes have left nothing")
}

// A crowd whose clock stands still repeats nothing and waits for nothing: each
// step of a join is the answer to the one before.
func TestJoinWaitsForNoTimer(t *testing.T) {
	r := newTestRoom(t, leanEars, Config{}, 3)
	c := newStillCrowd(t)
	for range 50 {
		c.join(r)
	}
	eventually(t, func() bool { return r.Stats().Ears == 50 }, "all are subscribed")
}
