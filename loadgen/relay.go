package loadgen

import (
	"container/heap"
	"net/netip"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/measure"
)

// A parcel is a packet on its way through somebody's simulated network.
type parcel struct {
	at    time.Duration // when it arrives, on the run's clock
	order uint64        // of those that arrive together, the first sent comes first
	up    bool          // to the server
	body  []byte        // the relay's own, and read during arrive only
	peer  netip.AddrPort
	to    addressee
}

// An addressee takes what arrives. Its parcels come one at a time, in the order
// of their times; it must not block.
type addressee interface{ arrive(p *parcel) }

// A relay keeps packets until they arrive, with one goroutine for all that are
// on their way. Close drops what is left, and waits.
//
// It is safe for concurrent use.
type relay struct {
	clock *measure.Clock
	late  func(time.Duration) // how late a packet to the server went out

	mu     sync.Mutex
	bound  parcels
	order  uint64
	spare  [][]byte // bodies to be used again
	closed bool

	wake chan struct{} // of one place: there is a parcel sooner than all others
	done sync.WaitGroup
}

func newRelay(clock *measure.Clock, late func(time.Duration)) *relay {
	r := &relay{clock: clock, late: late, wake: make(chan struct{}, 1)}
	r.done.Go(r.run)
	return r
}

// keep takes a parcel, and a copy of its body.
func (r *relay) keep(p parcel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	p.body = append(r.body(), p.body...)
	p.order = r.order
	r.order++
	heap.Push(&r.bound, p)
	if r.bound[0].order == p.order {
		r.signal()
	}
}

// body is an empty buffer for a packet.
func (r *relay) body() []byte {
	if n := len(r.spare); n > 0 {
		b := r.spare[n-1]
		r.spare = r.spare[:n-1]
		return b
	}
	return make([]byte, 0, packetSize)
}

func (r *relay) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run hands parcels over as they are due, until the relay is closed.
func (r *relay) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var due []parcel
	for {
		var wait time.Duration
		var open bool
		if due, wait, open = r.take(due); !open {
			return
		}
		for i := range due {
			p := &due[i]
			if p.up {
				r.late(r.clock.Now() - p.at)
			}
			p.to.arrive(p)
		}
		if len(due) > 0 {
			continue // others may be due by now
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-r.wake:
		}
	}
}

// take takes what is due, into the place of what was; if there is none it tells
// how long there will be none.
func (r *relay) take(done []parcel) (due []parcel, wait time.Duration, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range done {
		r.spare = append(r.spare, done[i].body[:0])
	}
	clear(done)
	due = done[:0]
	if r.closed {
		return due, 0, false
	}
	now := r.clock.Now()
	for len(r.bound) > 0 && r.bound[0].at <= now {
		due = append(due, heap.Pop(&r.bound).(parcel))
	}
	if len(r.bound) == 0 {
		return due, time.Hour, true
	}
	return due, r.bound[0].at - now, true
}

// Close ends the relay and waits for its goroutine.
func (r *relay) Close() {
	r.mu.Lock()
	r.closed = true
	r.bound = nil
	r.signal()
	r.mu.Unlock()
	r.done.Wait()
}

// parcels implements heap.Interface.
type parcels []parcel

func (p parcels) Len() int { return len(p) }
func (p parcels) Less(i, j int) bool {
	if p[i].at != p[j].at {
		return p[i].at < p[j].at
	}
	return p[i].order < p[j].order
}
func (p parcels) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

// Push implements heap.Interface.
func (p *parcels) Push(x any) { *p = append(*p, x.(parcel)) }

// Pop implements heap.Interface.
func (p *parcels) Pop() any {
	last := len(*p) - 1
	x := (*p)[last]
	(*p)[last] = parcel{}
	*p = (*p)[:last]
	return x
}
