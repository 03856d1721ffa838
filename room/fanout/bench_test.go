package fanout

import (
	"fmt"
	"testing"
	"time"
)

// countingEar does as little as an ear can.
type countingEar struct{ n, sum uint64 }

func (e *countingEar) Send(_ SendBatch, packets []Packet) int {
	for i := range packets {
		e.n++
		e.sum += uint64(packets[i].Seq) + uint64(len(packets[i].Payload))
	}
	return 0
}

// BenchmarkFanOut is one frame of one mic to N ears that do nothing: what the
// router itself costs. ns/packet is the figure that matters.
func BenchmarkFanOut(b *testing.B) {
	for _, ears := range []int{1, 100, 5000} {
		for _, shards := range []int{1, 2} {
			b.Run(fmt.Sprintf("ears=%d/shards=%d", ears, shards), func(b *testing.B) { benchmarkFanOut(b, ears, shards) })
		}
	}
}

func benchmarkFanOut(b *testing.B, ears, shards int) {
	b.Helper()
	h := newRouter(b, Config{Queue: 1 << 20, MaxAge: time.Hour}, ShardsConfig{Count: shards})
	for range ears {
		if _, err := h.Subscribe(&countingEar{}, SubscribeOptions{Sections: 3}); err != nil {
			b.Fatal(err)
		}
	}
	m, err := h.Publish(1)
	if err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 80)
	at := time.Now()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		m.Push(Frame{Seq: uint16(i), Timestamp: uint32(i * frameTicks), Level: 30, Payload: payload, Arrived: at})
		for h.backlogged() > 64 {
			time.Sleep(10 * time.Microsecond)
		}
	}
	for h.backlogged() > 0 {
		time.Sleep(10 * time.Microsecond)
	}
	b.StopTimer()
	sent := h.Stats().Sent
	if sent != uint64(b.N*ears) {
		b.Fatalf("%d packets sent, %d expected", sent, b.N*ears)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sent), "ns/packet")
}

// backlogged is how many jobs wait in the fullest lane.
func (h *Router) backlogged() int32 {
	var n int32
	for _, l := range h.lanes {
		n = max(n, l.jobs.Load())
	}
	return n
}
