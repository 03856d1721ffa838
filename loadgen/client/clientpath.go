package client

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/loadgen/netem"
)

// A clientPath is how one client reaches its server: a socket and, on a shared one, an
// address of its own.
type clientPath struct {
	// The fields that a received packet needs are next to each other.
	endpoint   atomic.Pointer[lite.Client]
	client     *LeanClient
	crowd      *Crowd
	impairment *netem.Impairment // the emulated network, or nil

	exclusive bool // the socket belongs to this client alone
	link      link // in place of the socket, or nil
	group     int  // for its reports

	// Fields that a rebind changes. Without an impairment nothing changes them.
	socket        *crowdSocket // guarded by crowd.mu, except for the impairment's queue
	local         netip.Addr   // guarded by socket.mu, except for the impairment's queue
	droppedBefore uint64       // drops of former sockets; guarded by crowd.mu
	closed        bool         // guarded by crowd.mu

	rebinds int // so far; only the impairment's queue uses it
}

// setClient makes packets go to the client.
func (w *clientPath) setEndpoint(c *lite.Client) { w.endpoint.Store(c) }

// handle gives the client a received packet. It has one caller at a time: the socket's
// reader or the impairment's queue.
func (w *clientPath) handle(b []byte, from netip.AddrPort, at time.Duration) {
	client := w.endpoint.Load()
	if client == nil {
		// The answer to the first check can arrive before the client is set.
		if client = w.client.pendingEndpoint(w); client == nil {
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
	if w.link != nil {
		w.link.send(b, to)
		return
	}
	m := [1]udpbatch.Message{{Buf: b, Addr: to, Local: w.local}}
	if out := w.socket.batch; out != nil && out.add(m[0]) {
		return
	}
	_, _ = w.socket.conn.WriteBatch(m[:])
}

// Deliver implements netem.Endpoint: a packet has come through the emulated network.
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

// rebind continues from another address, as behind a NAT that has lost its mapping.
// Packets to the old address are lost.
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

// dropped returns how many packets the client's own socket has dropped; 0 for a shared
// socket.
func (w *clientPath) dropped() uint64 {
	if !w.exclusive || w.link != nil {
		return 0
	}
	w.crowd.mu.Lock()
	defer w.crowd.mu.Unlock()
	return w.socket.dropped() + w.droppedBefore
}

// Close releases the socket or the address.
func (w *clientPath) Close() error {
	w.crowd.removePath(w)
	if w.link != nil {
		return w.link.close()
	}
	if w.exclusive {
		w.crowd.mu.Lock()
		defer w.crowd.mu.Unlock()
		w.closed = true
		return w.socket.conn.Close()
	}
	w.socket.removePath(w)
	return nil
}
