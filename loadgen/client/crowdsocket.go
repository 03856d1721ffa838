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
	// readBatch is how many messages one system call reads: packets or bundles of them.
	readBatch = 64
	// bufferStride is how far apart the buffers for messages are. It is a little more
	// than one takes, so that they do not all fall into the same few sets of the
	// processor's cache.
	bufferStride = udpbatch.MaxMessage + 5*64
	// maxBundle is how many packets a server sends as one message at most.
	maxBundle = udpbatch.MaxBundle
	// packetSize holds a packet of the usual MTU, in bytes.
	packetSize = 1500
	// gatherTime is how long the reader of a shared socket lets packets gather. The
	// kernel timestamps them, so this adds no latency to the figures.
	gatherTime = time.Millisecond
	// idleGatherTime is the same while only answers to checks arrive, from idleAfter on
	// after the last other packet: waking up costs as much as handling several checks,
	// and nobody waits for their answers.
	idleGatherTime = 5 * time.Millisecond
	idleAfter      = 4 * time.Second
)

// A crowdSocket is a socket of the crowd with the goroutine that reads it. Thousands of
// clients share one on the loopback interface; elsewhere it belongs to one client.
type crowdSocket struct {
	crowd   *Crowd
	conn    udpbatch.Conn
	address string // that it was opened for

	exclusive atomic.Pointer[clientPath] // its one client, if it is not shared

	// The clients of a shared socket by local address. Clients that have moved are kept
	// apart.
	first uint32
	paths []atomic.Pointer[clientPath] // by address, from home on
	batch *sendBatch

	// When the last urgent packet came, and whether the socket has been idle since. Only
	// the reader uses them.
	urgent time.Duration
	idle   bool
	// steps is how often the wall clock had been stepped when it was read last.
	steps uint64

	mu      sync.RWMutex
	rebound map[netip.Addr]*clientPath
}

// socketOptions describe a socket of one client or, if first is set, a shared one whose
// clients' addresses begin there.
type socketOptions struct {
	address string
	first   uint32
}

func (o socketOptions) shared() bool { return o.first != 0 }

// open opens a socket and starts its reader.
func (c *Crowd) open(o socketOptions) (*crowdSocket, error) {
	options := udpbatch.Options{Timestamps: true, PacketInfo: o.shared(), Segments: o.shared()}
	if o.shared() {
		options.Gather, options.ReadBuffer = gatherTime, c.buffer
	}
	conn, err := udpbatch.Listen(context.Background(), o.address, options)
	if err != nil {
		return nil, err
	}
	l := &crowdSocket{crowd: c, conn: conn, address: o.address, first: o.first, rebound: map[netip.Addr]*clientPath{}}
	_, l.steps = c.clock.Look()
	if o.shared() {
		l.paths, l.batch = make([]atomic.Pointer[clientPath], c.sharers), &sendBatch{conn: conn}
	}
	c.workers.Go(func() { l.read(o.shared()) })
	return l, nil
}

// read dispatches packets until the socket is closed.
func (l *crowdSocket) read(shared bool) {
	size, stride, length := readBatch, bufferStride, udpbatch.MaxMessage
	if !shared {
		size, stride, length = 8, packetSize, packetSize
	}
	// Memory that is never written to takes no room: most of it.
	memory := make([]byte, size*stride)
	messages := make([]udpbatch.Message, size)
	for i := range messages {
		messages[i].Buf = memory[i*stride:][:length:length]
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

// While one message is handled, the memory for later ones is prefetched. Each step
// runs this many messages before the next, which gives the memory enough time to arrive.
const (
	prefetchDistance = 4
	prefetchSteps    = 5 // of way.prefetch
)

// dispatch passes messages to their clients.
func (l *crowdSocket) dispatch(messages []udpbatch.Message) {
	now, steps := l.crowd.clock.Look()
	if l.steps != steps {
		// Nobody knows by which wall clock these were stamped.
		for i := range messages {
			messages[i].At = 0
		}
		l.steps = steps
	}
	wait := queueDelays{report: l.crowd.delayed}
	urgent := false
	var ways [32]*clientPath // of the messages on their way through the steps
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
				urgent = urgent || m.Segment > 0 || !lite.IsPeriodic(m.Buf[:m.N])
				l.deliver(w, m, now, &wait)
			}
		}
	}
	wait.flush()
	l.adjustGather(now, urgent)
}

// deliver passes a message to its client: a packet, or the packets of a bundle. All of
// these arrived together, so that they have one time stamp.
func (l *crowdSocket) deliver(w *clientPath, m *udpbatch.Message, now time.Duration, wait *queueDelays) {
	at := now
	if m.At != 0 {
		at = l.crowd.clock.FromWall(m.At)
	}
	packet := m.N
	if m.Segment > 0 {
		packet = m.Segment
		l.crowd.noteBundle(m.Datagrams())
	}
	for from := 0; from < m.N; from += packet {
		b := m.Buf[from:min(from+packet, m.N):min(from+packet, m.N)]
		if w.impairment != nil {
			w.impairment.Receive(b, m.Addr, at, w)
			continue
		}
		wait.add(now - at)
		w.handle(b, m.Addr, at)
	}
}

// adjustGather lets packets gather longer when nothing urgent has come for a while.
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

// find returns the path of a local address, or nil.
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

// place returns where the path of a local address is kept unless it has moved there, or
// nil.
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

// queueDelays reports the delays of consecutive packets together as long as they differ
// by less than 100 µs. All of them count as the longest.
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

// remove removes a path and reports whether it was there. l.mu is held.
func (l *crowdSocket) remove(w *clientPath) bool {
	if place := l.place(w.local); place != nil {
		return place.CompareAndSwap(w, nil)
	}
	there := l.rebound[w.local] == w
	delete(l.rebound, w.local)
	return there
}

// rebind gives a path another address. Nothing reaches the old one from then on.
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

// anyAddress returns the unspecified address of the family, with a free port.
func anyAddress(of netip.Addr) string {
	if of.Is4() {
		return "0.0.0.0:0"
	}
	return "[::]:0"
}
