package client

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/prefetch"
	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/loadgen/netem"
)

// A way is how one client reaches its server: a lane, and on a shared one an
// address of its own.
type clientPath struct {
	// What a packet takes stands together.
	client     atomic.Pointer[lite.Client]
	ear        *LeanClient
	crowd      *Crowd
	impairment *netem.Impairment // the simulated network, or nil

	exclusive bool // the lane is this client's alone
	group     int  // for its reports

	// What a rebind changes; without a link nothing does.
	socket        *crowdSocket // guarded by crowd.mu for all but the link's relay
	local         netip.Addr   // guarded by lane.mu for all but the link's relay
	droppedBefore uint64       // drops of former lanes; guarded by crowd.mu
	closed        bool         // guarded by crowd.mu

	rebinds int // rebinds so far; the link's relay's
}

// begin lets the client have what comes in.
func (w *clientPath) setClient(c *lite.Client) { w.client.Store(c) }

// prefetch asks for the memory that a packet to the client takes. w may be nil.
func (w *clientPath) prefetch(step int) {
	if w == nil {
		return
	}
	if step == 0 {
		prefetch.Span(&w.client, &w.impairment)
		return
	}
	if client := w.client.Load(); client != nil && w.impairment == nil {
		client.Prefetch(step - 1)
		w.ear.prefetch(step - 1)
	}
}

// take gives the client a packet that has arrived. It has one caller at a time:
// the lane's reader or the link's relay.
func (w *clientPath) handle(b []byte, from netip.AddrPort, at time.Duration) {
	client := w.client.Load()
	if client == nil {
		// The answer to its first check can be here before the client is.
		if client = w.ear.pendingClient(w); client == nil {
			return
		}
	}
	client.Handle(b, from, w.crowd.clock.Time(at))
}

// Send implements lite.Sender. What the socket does not take is lost, as
// datagrams are.
func (w *clientPath) Send(b []byte, to netip.AddrPort) {
	if w.impairment != nil {
		w.impairment.Send(b, to, w)
		return
	}
	w.write(b, to)
}

func (w *clientPath) write(b []byte, to netip.AddrPort) {
	m := [1]udpbatch.Message{{Buf: b, Addr: to, Local: w.local}}
	if out := w.socket.batch; out != nil && out.add(m[0]) {
		return
	}
	_, _ = w.socket.conn.WriteBatch(m[:])
}

// arrive implements addressee: a packet has come through the simulated network.
func (w *clientPath) Deliver(p *netem.DelayedPacket) {
	for ; w.rebinds < w.impairment.Rebinds(); w.rebinds++ {
		w.impairment.ReportRebind(w.rebind())
	}
	if p.Up {
		w.write(p.Body, p.Peer)
		return
	}
	w.handle(p.Body, p.Peer, p.At)
}

// move goes on from another address, as behind a NAT that has forgotten its
// mapping. What is sent to the old one is lost.
func (w *clientPath) rebind() error {
	c := w.crowd
	if !w.exclusive {
		w.socket.rebind(w, c.nextMovedAddress())
		return nil
	}
	l, err := c.open(socketOptions{address: w.socket.address})
	if err != nil {
		return err
	}
	l.exclusive.Store(w)
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.closed {
		return l.conn.Close()
	}
	old := w.socket
	old.exclusive.Store(nil)
	w.droppedBefore += old.dropped()
	w.socket = l
	return old.conn.Close()
}

// dropped is how many packets the socket has dropped, if it is the client's
// own.
func (w *clientPath) dropped() uint64 {
	if !w.exclusive {
		return 0
	}
	w.crowd.mu.Lock()
	defer w.crowd.mu.Unlock()
	return w.socket.dropped() + w.droppedBefore
}

// Close gives the way up.
func (w *clientPath) Close() error {
	w.crowd.removePath(w)
	if w.exclusive {
		w.crowd.mu.Lock()
		defer w.crowd.mu.Unlock()
		w.closed = true
		return w.socket.conn.Close()
	}
	w.socket.removePath(w)
	return nil
}
