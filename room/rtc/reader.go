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
	// gathering is how long checks and reports of thousands of ears may wait in
	// the socket for each other, and whatever else comes with them.
	gathering = time.Millisecond
	// resting is the same when nothing else comes: nobody speaks, joins or misses
	// a packet. To wake up costs as much as to answer several checks, whose
	// answers nobody waits for.
	resting = 10 * time.Millisecond
	// attention is how long after anything else a reader still expects more of
	// it. The client of a mic checks consent every 2.5 s on average, and at most
	// a fifth later (RFC 7675 section 5.1), so that an open mic never waits.
	attention = 4 * time.Second
)

// reader takes what comes in at one socket of the port, and gathers the answers.
// It belongs to one goroutine.
type reader struct {
	engine  *Engine
	conn    udpbatch.Conn
	answers *outbox

	alarms uint64    // of the engine, as far as they were seen
	last   time.Time // when something came that must not wait
	rests  bool
}

func newReader(e *Engine, conn udpbatch.Conn) *reader {
	return &reader{engine: e, conn: conn, answers: &outbox{writer: conn, spare: &e.port.spare, clock: time.Now}}
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
				r.sort(m.Buf[:m.N], m.Addr, now)
			}
		}
		r.answers.Flush()
		r.pace(now)
	}
}

// sort gives a datagram, which may be changed but not kept, to Pion or to the
// ears.
func (r *reader) sort(b []byte, from netip.AddrPort, now time.Time) {
	e := r.engine
	if c := e.routes.forPion(b, from); c != nil {
		e.branch.put(b, from, c)
		r.last = now
		return
	}
	if lite.IsDTLS(b) {
		r.last = now
	}
	e.lite.Handle(b, from, now, r)
}

// Send implements lite.Sender.
func (r *reader) Send(b []byte, to netip.AddrPort) {
	if room := r.answers.take(len(b)); room != nil {
		r.answers.put(append(room[:0], b...), to, nil, 0)
	}
}

// pace says how long the next datagrams may gather.
func (r *reader) pace(now time.Time) {
	if alarms := r.engine.alarms.Load(); alarms != r.alarms {
		r.alarms, r.last = alarms, now
	}
	if rests := now.Sub(r.last) > attention; rests != r.rests {
		r.rests = rests
		if rests {
			r.conn.SetGather(resting)
		} else {
			r.conn.SetGather(gathering)
		}
	}
}
