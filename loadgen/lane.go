package loadgen

import (
	"context"
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
	// laneClients is how many clients share a socket: few sockets mean full
	// batches, many mean that one's buffer holds the packets of all its clients.
	laneClients = 2500
	// batch is how many packets one system call reads.
	batch = 256
	// packetSize is room for a packet of the network's usual MTU.
	packetSize = 1500
	// gathering is how long a reader of a shared socket lets packets gather. The
	// kernel stamps them, so that no latency is in it.
	gathering = time.Millisecond
)

// buffers are the sizes of a shared socket's receive buffer that are asked for,
// one after the other, until the system allows one; 0 is its default.
var buffers = []int{8 << 20, 4 << 20, 1 << 20, 0}

// A lane is a socket of the crowd, with the goroutine that reads it.
type lane struct {
	crowd   *crowd
	conn    udpbatch.Conn
	address string // that it was opened for

	only atomic.Pointer[way] // its one client, if it is not shared

	mu   sync.RWMutex
	ways map[netip.Addr]*way // by the local address, if it is shared
}

type laneOptions struct {
	address string
	shared  bool
}

// open opens a socket and starts to read it.
func (c *crowd) open(o laneOptions) (*lane, error) {
	options := udpbatch.Options{Timestamps: true, PacketInfo: o.shared}
	var conn udpbatch.Conn
	var err error
	sizes := buffers
	if o.shared {
		options.Gather = gathering
	} else {
		sizes = []int{0}
	}
	for _, options.ReadBuffer = range sizes {
		if conn, err = udpbatch.Listen(context.Background(), o.address, options); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	l := &lane{crowd: c, conn: conn, address: o.address, ways: map[netip.Addr]*way{}}
	c.workers.Go(func() { l.read(o.shared) })
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
		for i := range messages[:max(n, 0)] {
			l.deliver(&messages[i])
		}
		if err != nil {
			time.Sleep(gathering)
		}
	}
}

func (l *lane) deliver(m *udpbatch.Message) {
	w := l.only.Load()
	if w == nil {
		l.mu.RLock()
		w = l.ways[m.Local]
		l.mu.RUnlock()
	}
	if w == nil || m.N <= 0 {
		return
	}
	at := l.crowd.clock.Now()
	if m.At != 0 {
		at = l.crowd.clock.FromWall(m.At)
	}
	if w.link != nil {
		w.link.receive(m.Buf[:m.N], m.Addr, at, w)
		return
	}
	w.take(m.Buf[:m.N], m.Addr, at)
}

func (l *lane) enter(w *way) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ways[w.local] = w
}

func (l *lane) leave(w *way) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ways, w.local)
}

// move gives a way another address, from which on nothing reaches the old one.
func (l *lane) move(w *way, to netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ways[w.local] != w {
		return // it is closed
	}
	delete(l.ways, w.local)
	w.local = to
	l.ways[to] = w
}

func (l *lane) dropped() uint64 {
	n, _ := l.conn.Drops()
	return n
}

// A way is how one client reaches its server: a lane, and on a shared one an
// address of its own.
type way struct {
	crowd  *crowd
	own    bool // the lane is this client's alone
	ear    *leanEar
	group  int // for its reports
	client atomic.Pointer[lite.Client]

	// What a rebind changes; without a link nothing does.
	lane    *lane      // guarded by crowd.mu for all but the link's relay
	local   netip.Addr // guarded by lane.mu for all but the link's relay
	earlier uint64     // drops of former lanes; guarded by crowd.mu
	closed  bool       // guarded by crowd.mu

	link  *link // the simulated network, or nil
	moves int   // rebinds so far; the link's relay's
}

// begin lets the client have what comes in.
func (w *way) begin(c *lite.Client) { w.client.Store(c) }

// take gives the client a packet that has arrived. It has one caller at a time:
// the lane's reader or the link's relay.
func (w *way) take(b []byte, from netip.AddrPort, at time.Duration) {
	client := w.client.Load()
	if client == nil {
		// The answer to its first check can be here before the client is.
		if client = w.ear.connecting(w); client == nil {
			return
		}
	}
	client.Handle(b, from, w.crowd.clock.Time(at))
}

// Send implements lite.Sender. What the socket does not take is lost, as
// datagrams are.
func (w *way) Send(b []byte, to netip.AddrPort) {
	if w.link != nil {
		w.link.send(b, to, w)
		return
	}
	w.write(b, to)
}

func (w *way) write(b []byte, to netip.AddrPort) {
	m := [1]udpbatch.Message{{Buf: b, Addr: to, Local: w.local}}
	_, _ = w.lane.conn.WriteBatch(m[:])
}

// arrive implements addressee: a packet has come through the simulated network.
func (w *way) arrive(p *parcel) {
	for ; w.moves < w.link.rebinds(); w.moves++ {
		w.link.links.problems.add("rebind", w.move())
	}
	if p.up {
		w.write(p.body, p.peer)
		return
	}
	w.take(p.body, p.peer, p.at)
}

// move goes on from another address, as behind a NAT that has forgotten its
// mapping. What is sent to the old one is lost.
func (w *way) move() error {
	c := w.crowd
	if !w.own {
		w.lane.move(w, c.another())
		return nil
	}
	l, err := c.open(laneOptions{address: w.lane.address})
	if err != nil {
		return err
	}
	l.only.Store(w)
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.closed {
		return l.conn.Close()
	}
	old := w.lane
	old.only.Store(nil)
	w.earlier += old.dropped()
	w.lane = l
	return old.conn.Close()
}

// dropped is how many packets the socket has dropped, if it is the client's
// own.
func (w *way) dropped() uint64 {
	if !w.own {
		return 0
	}
	w.crowd.mu.Lock()
	defer w.crowd.mu.Unlock()
	return w.lane.dropped() + w.earlier
}

// Close gives the way up.
func (w *way) Close() error {
	w.crowd.leave(w)
	if w.own {
		w.crowd.mu.Lock()
		defer w.crowd.mu.Unlock()
		w.closed = true
		return w.lane.conn.Close()
	}
	w.lane.leave(w)
	return nil
}

// anyAddress is a free port on every address of the family.
func anyAddress(of netip.Addr) string {
	if of.Is4() {
		return "0.0.0.0:0"
	}
	return "[::]:0"
}
