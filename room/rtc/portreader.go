package rtc

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/udpbatch"
)

const (
	// portBatch is how many datagrams are read at once.
	portBatch = 64
	// busyGather is how long checks and reports of thousands of ears may wait in
	// the socket for each other, and whatever else comes with them.
	busyGather = time.Millisecond
	// idleGather is the same while nothing else comes: nobody speaks, joins or misses
	// a packet. A wake-up costs as much as the answers to several checks, and nobody
	// waits for these.
	idleGather = 10 * time.Millisecond
	// busyPeriod is how long after anything else a reader still expects more of
	// it. The client of a mic checks consent every 2.5 s on average, and at most
	// a fifth later (RFC 7675, section 5.1), so that an open mic never waits.
	busyPeriod = 4 * time.Second
)

// portReader reads one socket of the port, hands what comes in to the
// demultiplexer, and sends the replies in batches. It belongs to one goroutine.
type portReader struct {
	engine  *Engine
	conn    udpbatch.Conn
	replies *sendBatch

	urgent     uint64    // the engine's count, as far as it was seen
	lastUrgent time.Time // when something came that must not wait
	idle       bool
}

func newPortReader(e *Engine, conn udpbatch.Conn) *portReader {
	r := &portReader{engine: e, conn: conn, replies: newSendBatch(conn, time.Now)}
	r.replies.tcp = e.port.tcp // a client may have moved there
	return r
}

// run reads until the port is closed. All of one client's datagrams come by one
// socket.
func (r *portReader) run() error {
	batch := make([]udpbatch.Message, portBatch)
	memory := make([]byte, portBatch*datagramSize)
	for i := range batch {
		batch[i].Buf = memory[i*datagramSize : (i+1)*datagramSize : (i+1)*datagramSize]
	}
	for {
		n, err := r.conn.ReadBatch(batch)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		now := time.Now()
		for i := range batch[:n] {
			if m := &batch[i]; m.N > 0 {
				r.handle(m.Buf[:m.N], m.Addr, now)
			}
		}
		r.replies.Flush()
		r.adjustGather(now)
	}
}

// handle hands over a datagram, which may be changed but not kept.
func (r *portReader) handle(b []byte, from netip.AddrPort, now time.Time) {
	isDTLS := lite.IsDTLS(b)
	if isForMic := r.engine.lite.Handle(b, from, now, r); isForMic || isDTLS {
		r.lastUrgent = now
	}
}

// Send implements lite.Sender.
func (r *portReader) Send(b []byte, to netip.AddrPort) {
	if memory := r.replies.reserve(len(b)); memory != nil {
		r.replies.add(append(memory[:0], b...), to)
	}
}

// adjustGather sets how long the next datagrams may wait for each other.
func (r *portReader) adjustGather(now time.Time) {
	if urgent := r.engine.urgent.Load(); urgent != r.urgent {
		r.urgent, r.lastUrgent = urgent, now
	}
	if idle := now.Sub(r.lastUrgent) > busyPeriod; idle != r.idle {
		r.idle = idle
		if idle {
			r.conn.SetGather(idleGather)
		} else {
			r.conn.SetGather(busyGather)
		}
	}
}
