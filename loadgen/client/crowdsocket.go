package client

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/udpbatch"
)

const (
	// batch is how many packets one system call reads.
	readBatch = 256
	// packetSize is room for a packet of the network's usual MTU.
	packetSize = 1500
	// gathering is how long a reader of a shared socket lets packets gather. The
	// kernel stamps them, so that no latency is in it.
	gatherTime = time.Millisecond
	// resting is the same when there is nothing but the answers to checks, for
	// attention after anything else came: to wake up costs as much as several of
	// them, and nobody waits for them.
	idleGatherTime = 5 * time.Millisecond
	idleAfter      = 4 * time.Second
)

// A lane is a socket of the crowd, with the goroutine that reads it.
type crowdSocket struct {
	crowd   *Crowd
	conn    udpbatch.Conn
	address string // that it was opened for

	exclusive atomic.Pointer[clientPath] // its one client, if it is not shared

	// If it is shared, its clients by their local addresses: those that have
	// moved apart from the rest.
	first uint32
	paths []atomic.Pointer[clientPath] // by address, from home on
	batch *sendBatch

	// When something came that is to be heard soon, and whether the socket rests
	// since: the reader's alone.
	urgent time.Duration
	idle   bool

	mu      sync.RWMutex
	rebound map[netip.Addr]*clientPath
}

// laneOptions are those of a lane of one client or, with the first of its
// clients' addresses, of a shared one.
type socketOptions struct {
	address string
	first   uint32
}

func (o socketOptions) shared() bool { return o.first != 0 }

// open opens a socket and starts to read it.
func (c *Crowd) open(o socketOptions) (*crowdSocket, error) {
	options := udpbatch.Options{Timestamps: true, PacketInfo: o.shared()}
	if o.shared() {
		options.Gather, options.ReadBuffer = gatherTime, c.buffer
	}
	conn, err := udpbatch.Listen(context.Background(), o.address, options)
	if err != nil {
		return nil, err
	}
	l := &crowdSocket{crowd: c, conn: conn, address: o.address, first: o.first, rebound: map[netip.Addr]*clientPath{}}
	if o.shared() {
		l.paths, l.batch = make([]atomic.Pointer[clientPath], c.sharers), &sendBatch{conn: conn}
	}
	c.workers.Go(func() { l.read(o.shared()) })
	return l, nil
}

// read hands packets to their clients until the socket is closed.
func (l *crowdSocket) read(shared bool) {
	size := readBatch
	if !shared {
		size = 8
	}
	messages := make([]udpbatch.Message, size)
	for i := range messages {
		messages[i].Buf = make([]byte, packetSize)
	}
	for {
		n, err := l.conn.ReadBatch(messages)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		l.dispatch(messages[:max(n, 0)])
		if err != nil {
			time.Sleep(gatherTime)
		}
	}
}

// While one packet is heard, the memory for later ones comes: each of its steps
// this many packets before the next, which is time enough for it.
const (
	prefetchDistance = 4
	prefetchSteps    = 5 // of way.prefetch
)

// hear hands packets to their clients.
func (l *crowdSocket) dispatch(messages []udpbatch.Message) {
	now := l.crowd.clock.Now()
	wait := queueDelays{report: l.crowd.delayed}
	urgent := false
	var ways [32]*clientPath // of the packets on their way through the steps
	for i := range len(messages) + prefetchDistance*prefetchSteps {
		if i < len(messages) {
			ways[i%len(ways)] = l.find(messages[i].Local)
		}
		for step := range prefetchSteps {
			if j := i - prefetchDistance*step; j >= 0 && j < len(messages) {
				ways[j%len(ways)].prefetch(step)
			}
		}
		if j := i - prefetchDistance*prefetchSteps; j >= 0 {
			if m, w := &messages[j], ways[j%len(ways)]; w != nil && m.N > 0 {
				urgent = urgent || !lite.IsPeriodic(m.Buf[:m.N])
				l.deliver(w, m, now, &wait)
			}
		}
	}
	wait.flush()
	l.adjustGather(now, urgent)
}

// take hands one packet to its client.
func (l *crowdSocket) deliver(w *clientPath, m *udpbatch.Message, now time.Duration, wait *queueDelays) {
	at := now
	if m.At != 0 {
		at = l.crowd.clock.FromWall(m.At)
	}
	if w.impairment != nil {
		w.impairment.Receive(m.Buf[:m.N], m.Addr, at, w)
		return
	}
	wait.add(now - at)
	w.handle(m.Buf[:m.N], m.Addr, at)
}

// pace has the socket rest when nothing urgent has come for a while.
func (l *crowdSocket) adjustGather(now time.Duration, urgent bool) {
	if urgent {
		l.urgent = now
	}
	if rests := now-l.urgent > idleAfter; rests != l.idle {
		l.idle = rests
		if rests {
			l.conn.SetGather(idleGatherTime)
		} else {
			l.conn.SetGather(gatherTime)
		}
	}
}

// find is the way of a local address, or nil.
func (l *crowdSocket) find(local netip.Addr) *clientPath {
	if w := l.exclusive.Load(); w != nil {
		return w
	}
	if place := l.place(local); place != nil {
		return place.Load()
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.rebound[local]
}

// place is where the way with a local address stands, unless it has moved there.
func (l *crowdSocket) place(local netip.Addr) *atomic.Pointer[clientPath] {
	if !local.Is4() {
		return nil
	}
	a := local.As4()
	if i := binary.BigEndian.Uint32(a[:]) - l.first; i < uint32(len(l.paths)) {
		return &l.paths[i]
	}
	return nil
}

// waits tells the waits of packets that came one after the other as one, as
// far as they are the same to 100 µs: the longest of them.
type queueDelays struct {
	report  QueueDelayFunc
	longest time.Duration
	n       uint64
}

func (t *queueDelays) add(d time.Duration) {
	if t.n > 0 && (d-t.longest).Abs() > 100*time.Microsecond {
		t.flush()
	}
	t.longest = max(t.longest, d)
	t.n++
}

func (t *queueDelays) flush() {
	if t.n > 0 {
		t.report(t.longest, t.n)
	}
	t.longest, t.n = 0, 0
}

func (l *crowdSocket) add(w *clientPath) {
	l.place(w.local).Store(w)
}

func (l *crowdSocket) removePath(w *clientPath) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(w)
}

// remove takes a way away from where it stands; false if it is not there. l.mu is
// held.
func (l *crowdSocket) remove(w *clientPath) bool {
	if place := l.place(w.local); place != nil {
		return place.CompareAndSwap(w, nil)
	}
	there := l.rebound[w.local] == w
	delete(l.rebound, w.local)
	return there
}

// move gives a way another address, from which on nothing reaches the old one.
func (l *crowdSocket) rebind(w *clientPath, to netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.remove(w) {
		return // it is closed
	}
	w.local = to
	l.rebound[to] = w
}

func (l *crowdSocket) dropped() uint64 {
	n, _ := l.conn.Drops()
	return n
}

// anyAddress is a free port on every address of the family.
func anyAddress(of netip.Addr) string {
	if of.Is4() {
		return "0.0.0.0:0"
	}
	return "[::]:0"
}
