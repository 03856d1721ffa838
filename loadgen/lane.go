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
	// gathering is how long a reader lets packets gather after a batch that was
	// not full. The kernel stamps them, so that no latency is in it.
	gathering = time.Millisecond
)

// buffers are the sizes of a shared socket's receive buffer that are asked for,
// one after the other, until the system allows one; 0 is its default.
var buffers = []int{8 << 20, 4 << 20, 1 << 20, 0}

// A lane is a socket of the crowd, with the goroutine that reads it.
type lane struct {
	crowd *crowd
	conn  udpbatch.Conn

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
	if !o.shared {
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
	l := &lane{crowd: c, conn: conn, ways: map[netip.Addr]*way{}}
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
		if err != nil || shared && n < size/2 {
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
	client := w.client.Load()
	if client == nil {
		// The answer to its first check can be here before the client is.
		if client = w.ear.connecting(w); client == nil {
			return
		}
	}
	at := l.crowd.clock.Now()
	if m.At != 0 {
		at = l.crowd.clock.FromWall(m.At)
	}
	client.Handle(m.Buf[:m.N], m.Addr, l.crowd.clock.Time(at))
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

func (l *lane) dropped() uint64 {
	n, _ := l.conn.Drops()
	return n
}

// A way is how one client reaches its server: a lane, and on a shared one an
// address of its own.
type way struct {
	crowd  *crowd
	lane   *lane
	own    bool // the lane is this client's alone
	local  netip.Addr
	ear    *leanEar
	group  int // for its reports
	client atomic.Pointer[lite.Client]
}

// begin lets the client have what comes in.
func (w *way) begin(c *lite.Client) { w.client.Store(c) }

// Send implements lite.Sender. What the socket does not take is lost, as
// datagrams are.
func (w *way) Send(b []byte, to netip.AddrPort) {
	m := [1]udpbatch.Message{{Buf: b, Addr: to, Local: w.local}}
	_, _ = w.lane.conn.WriteBatch(m[:])
}

// dropped is how many packets the socket has dropped, if it is the client's
// own.
func (w *way) dropped() uint64 {
	if !w.own {
		return 0
	}
	return w.lane.dropped()
}

// Close gives the way up.
func (w *way) Close() error {
	w.crowd.leave(w)
	if w.own {
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
