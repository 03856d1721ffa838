package mediaport

import (
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

// retryAfter is how long a reader rests after a socket's error.
const retryAfter = 10 * time.Millisecond

// Serve reads the port until it is closed, and hands what comes in to the demultiplexer,
// with one goroutine for each socket. urgent counts the events after which what comes in
// must not wait long for more; failed is told of errors of a socket, which is read on.
func (p *Port) Serve(to *lite.Server, urgent *atomic.Uint64, failed func(error)) {
	var readers sync.WaitGroup
	for _, conn := range p.conns {
		readers.Go(func() { p.read(newReader(p, conn, to, urgent), failed) })
	}
	if p.tcp != nil {
		readers.Go(func() {
			p.tcp.Serve(func(b []byte, from netip.AddrPort, now time.Time) { to.Handle(b, from, now, nil) })
		})
	}
	readers.Wait()
}

// read reads one socket until the port is closed.
func (p *Port) read(r *reader, failed func(error)) {
	for {
		err := r.run()
		if err == nil {
			return
		}
		failed(err)
		select {
		case <-p.closed:
			return
		case <-time.After(retryAfter):
		}
	}
}

// reader reads one socket of the port, hands what comes in to the
// demultiplexer, and sends the replies in batches. It belongs to one goroutine.
type reader struct {
	to      *lite.Server
	urgent  *atomic.Uint64
	conn    udpbatch.Conn
	replies *Batch

	urgentSeen uint64    // the count, as far as it was seen
	lastUrgent time.Time // when something came that must not wait
	idle       bool
}

func newReader(p *Port, conn udpbatch.Conn, to *lite.Server, urgent *atomic.Uint64) *reader {
	r := &reader{to: to, urgent: urgent, conn: conn, replies: NewBatch(conn, time.Now)}
	r.replies.tcp = p.tcp // a client may have moved there
	return r
}

// run reads until the port is closed. All of one client's datagrams come by one
// socket.
func (r *reader) run() error {
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
func (r *reader) handle(b []byte, from netip.AddrPort, now time.Time) {
	isDTLS := lite.IsDTLS(b)
	if isForMic := r.to.Handle(b, from, now, r); isForMic || isDTLS {
		r.lastUrgent = now
	}
}

// Send implements lite.Sender.
func (r *reader) Send(b []byte, to netip.AddrPort) {
	if memory := r.replies.Reserve(len(b)); memory != nil {
		r.replies.Add(append(memory[:0], b...), to)
	}
}

// adjustGather sets how long the next datagrams may wait for each other.
func (r *reader) adjustGather(now time.Time) {
	if urgent := r.urgent.Load(); urgent != r.urgentSeen {
		r.urgentSeen, r.lastUrgent = urgent, now
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
