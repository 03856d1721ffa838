package netem

import (
	"container/heap"
	"net/netip"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// packetSize holds a packet of the usual MTU, in bytes.
const packetSize = 1500

// A DelayedPacket is a packet in flight through an emulated network.
type DelayedPacket struct {
	At    time.Duration // arrival time, on the run's clock
	order uint64        // packets that arrive together keep the order in which they were sent
	Up    bool          // to the server
	Body  []byte        // owned by the queue; valid only during Deliver
	Peer  netip.AddrPort
	to    Endpoint
}

// An Endpoint receives packets that have arrived, one at a time and in the order of
// their times. It must not block.
type Endpoint interface{ Deliver(p *DelayedPacket) }

// A delayQueue holds packets until they arrive. It has one goroutine. Close drops the
// packets that are left, and waits.
//
// It is safe for concurrent use.
type delayQueue struct {
	clock *timebase.Clock
	late  func(time.Duration) // how late a packet to the server went out

	mu      sync.Mutex
	packets packetHeap
	order   uint64
	free    [][]byte // bodies for reuse
	closed  bool

	wake chan struct{} // buffered by one: some packet is now due before all others
	done sync.WaitGroup
}

func newDelayQueue(clock *timebase.Clock, late func(time.Duration)) *delayQueue {
	r := &delayQueue{clock: clock, late: late, wake: make(chan struct{}, 1)}
	r.done.Go(r.run)
	return r
}

// add adds a packet with a copy of its body.
func (r *delayQueue) add(p DelayedPacket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	p.Body = append(r.newBody(), p.Body...)
	p.order = r.order
	r.order++
	heap.Push(&r.packets, p)
	if r.packets[0].order == p.order {
		r.signal()
	}
}

// newBody returns an empty buffer for a packet. r.mu is held.
func (r *delayQueue) newBody() []byte {
	if n := len(r.free); n > 0 {
		b := r.free[n-1]
		r.free = r.free[:n-1]
		return b
	}
	return make([]byte, 0, packetSize)
}

func (r *delayQueue) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run delivers packets when they are due, until the queue is closed.
func (r *delayQueue) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var due []DelayedPacket
	for {
		var wait time.Duration
		var open bool
		if due, wait, open = r.take(due); !open {
			return
		}
		for i := range due {
			p := &due[i]
			if p.Up {
				r.late(r.clock.Now() - p.At)
			}
			p.to.Deliver(p)
		}
		if len(due) > 0 {
			continue // more packets may be due by now
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-r.wake:
		}
	}
}

// take returns the packets that are due, reusing the slice of those that were delivered.
// If there are none, wait is the time until the next.
func (r *delayQueue) take(done []DelayedPacket) (due []DelayedPacket, wait time.Duration, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range done {
		r.free = append(r.free, done[i].Body[:0])
	}
	clear(done)
	due = done[:0]
	if r.closed {
		return due, 0, false
	}
	now := r.clock.Now()
	for len(r.packets) > 0 && r.packets[0].At <= now {
		due = append(due, heap.Pop(&r.packets).(DelayedPacket))
	}
	if len(r.packets) == 0 {
		return due, time.Hour, true
	}
	return due, r.packets[0].At - now, true
}

// Close ends the queue and waits for its goroutine.
func (r *delayQueue) Close() {
	r.mu.Lock()
	r.closed = true
	r.packets = nil
	r.signal()
	r.mu.Unlock()
	r.done.Wait()
}

// packetHeap implements heap.Interface.
type packetHeap []DelayedPacket

func (p packetHeap) Len() int { return len(p) }
func (p packetHeap) Less(i, j int) bool {
	if p[i].At != p[j].At {
		return p[i].At < p[j].At
	}
	return p[i].order < p[j].order
}
func (p packetHeap) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

// Push implements heap.Interface.
func (p *packetHeap) Push(x any) { *p = append(*p, x.(DelayedPacket)) }

// Pop implements heap.Interface.
func (p *packetHeap) Pop() any {
	last := len(*p) - 1
	x := (*p)[last]
	(*p)[last] = DelayedPacket{}
	*p = (*p)[:last]
	return x
}
