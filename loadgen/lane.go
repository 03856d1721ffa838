package loadgen

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
	batch = 256
	// packetSize is room for a packet of the network's usual MTU.
	packetSize = 1500
	// gathering is how long a reader of a shared socket lets packets gather. The
	// kernel stamps them, so that no latency is in it.
	gathering = time.Millisecond
	// resting is the same when there is nothing but the answers to checks, for
	// attention after anything else came: to wake up costs as much as several of
	// them, and nobody waits for them.
	resting   = 5 * time.Millisecond
	attention = 4 * time.Second
)

// A lane is a socket of the crowd, with the goroutine that reads it.
type lane struct {
	crowd   *crowd
	conn    udpbatch.Conn
	address string // that it was opened for

	only atomic.Pointer[way] // its one client, if it is not shared

	// If it is shared, its clients by their local addresses: those that have
	// moved apart from the rest.
	home uint32
	ways []atomic.Pointer[way] // by address, from home on
	out  *outbox

	// When something came that is to be heard soon, and whether the socket rests
	// since: the reader's alone.
	urgent time.Duration
	rests  bool

	mu    sync.RWMutex
	moved map[netip.Addr]*way
}

// laneOptions are those of a lane of one client or, with the first of its
// clients' addresses, of a shared one.
type laneOptions struct {
	address string
	home    uint32
}

func (o laneOptions) shared() bool { return o.home != 0 }

// open opens a socket and starts to read it.
func (c *crowd) open(o laneOptions) (*lane, error) {
	options := udpbatch.Options{Timestamps: true, PacketInfo: o.shared()}
	if o.shared() {
		options.Gather, options.ReadBuffer = gathering, c.buffer
	}
	conn, err := udpbatch.Listen(context.Background(), o.address, options)
	if err != nil {
		return nil, err
	}
	l := &lane{crowd: c, conn: conn, address: o.address, home: o.home, moved: map[netip.Addr]*way{}}
	if o.shared() {
		l.ways, l.out = make([]atomic.Pointer[way], c.sharers), &outbox{conn: conn}
	}
	c.workers.Go(func() { l.read(o.shared()) })
	return l, nil
}

// read hands packets to their clients until the socket is closed.
func (l *lane) read(shared bool) {
	size := batch
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
		l.hear(messages[:max(n, 0)])
		if err != nil {
			time.Sleep(gathering)
		}
	}
}

// While one packet is heard, the memory for later ones comes: each of its steps
// this many packets before the next, which is time enough for it.
const (
	ahead = 4
	steps = 5 // of way.prefetch
)

// hear hands packets to their clients.
func (l *lane) hear(messages []udpbatch.Message) {
	now := l.crowd.clock.Now()
	wait := waits{tell: l.crowd.waited}
	urgent := false
	var ways [32]*way // of the packets on their way through the steps
	for i := range len(messages) + ahead*steps {
		if i < len(messages) {
			ways[i%len(ways)] = l.find(messages[i].Local)
		}
		for step := range steps {
			if j := i - ahead*step; j >= 0 && j < len(messages) {
				ways[j%len(ways)].prefetch(step)
			}
		}
		if j := i - ahead*steps; j >= 0 {
			if m, w := &messages[j], ways[j%len(ways)]; w != nil && m.N > 0 {
				urgent = urgent || !lite.IsPeriodic(m.Buf[:m.N])
				l.take(w, m, now, &wait)
			}
		}
	}
	wait.flush()
	l.pace(now, urgent)
}

// take hands one packet to its client.
func (l *lane) take(w *way, m *udpbatch.Message, now time.Duration, wait *waits) {
	at := now
	if m.At != 0 {
		at = l.crowd.clock.FromWall(m.At)
	}
	if w.link != nil {
		w.link.receive(m.Buf[:m.N], m.Addr, at, w)
		return
	}
	wait.add(now - at)
	w.take(m.Buf[:m.N], m.Addr, at)
}

// pace has the socket rest when nothing urgent has come for a while.
func (l *lane) pace(now time.Duration, urgent bool) {
	if urgent {
		l.urgent = now
	}
	if rests := now-l.urgent > attention; rests != l.rests {
		l.rests = rests
		if rests {
			l.conn.SetGather(resting)
		} else {
			l.conn.SetGather(gathering)
		}
	}
}

// find is the way of a local address, or nil.
func (l *lane) find(local netip.Addr) *way {
	if w := l.only.Load(); w != nil {
		return w
	}
	if place := l.place(local); place != nil {
		return place.Load()
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.moved[local]
}

// place is where the way with a local address stands, unless it has moved there.
func (l *lane) place(local netip.Addr) *atomic.Pointer[way] {
	if !local.Is4() {
		return nil
	}
	a := local.As4()
	if i := binary.BigEndian.Uint32(a[:]) - l.home; i < uint32(len(l.ways)) {
		return &l.ways[i]
	}
	return nil
}

// waits tells the waits of packets that came one after the other as one, as
// far as they are the same to 100 µs: the longest of them.
type waits struct {
	tell    waiting
	longest time.Duration
	n       uint64
}

func (t *waits) add(d time.Duration) {
	if t.n > 0 && (d-t.longest).Abs() > 100*time.Microsecond {
		t.flush()
	}
	t.longest = max(t.longest, d)
	t.n++
}

func (t *waits) flush() {
	if t.n > 0 {
		t.tell(t.longest, t.n)
	}
	t.longest, t.n = 0, 0
}

func (l *lane) enter(w *way) {
	l.place(w.local).Store(w)
}

func (l *lane) leave(w *way) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(w)
}

// remove takes a way away from where it stands; false if it is not there. l.mu is
// held.
func (l *lane) remove(w *way) bool {
	if place := l.place(w.local); place != nil {
		return place.CompareAndSwap(w, nil)
	}
	there := l.moved[w.local] == w
	delete(l.moved, w.local)
	return there
}

// move gives a way another address, from which on nothing reaches the old one.
func (l *lane) move(w *way, to netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.remove(w) {
		return // it is closed
	}
	w.local = to
	l.moved[to] = w
}

func (l *lane) dropped() uint64 {
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
