package lite

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeDepth is how many datagrams wait for a handshake: the largest flight,
// split small and sent twice.
const pipeDepth = 32

// pipe is the net.PacketConn that a handshake runs over. Datagrams are put in by
// Handle; what the handshake writes goes to send. It notes what is needed once
// the connection object is gone.
//
// A handshake computes from when it has read a datagram until it reads again. In
// between it holds a CPU slot of the limiter.
type pipe struct {
	send     func(b []byte)
	flights  *flightLog    // guarded by mu
	cpuSlots chan struct{} // the limiter's

	mu         sync.Mutex
	queue      [][]byte
	closed     bool
	expired    bool
	hasCPUSlot bool          // it holds a CPU slot
	wake       chan struct{} // of one place: the queue, closed or expired changed
}

func newPipe(client bool, l *Limiter, send func([]byte)) *pipe {
	return &pipe{send: send, cpuSlots: l.cpuSlots, flights: &flightLog{client: client}, wake: make(chan struct{}, 1)}
}

// put hands in a datagram, of which a copy is kept. It is dropped if the queue
// is full. What comes once the pipe is closed waits for drain: an alert, say, is
// sent once only.
func (p *pipe) put(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == pipeDepth {
		return
	}
	p.queue = append(p.queue, append([]byte(nil), b...))
	p.signal()
}

// drain gives what was not read. It is called once the pipe is closed.
func (p *pipe) drain() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	rest := p.queue
	p.queue = nil
	return rest
}

func (p *pipe) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// ReadFrom implements net.PacketConn. It has one caller at a time.
func (p *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	p.releaseCPUSlot()
	for hasSlot := false; ; {
		p.mu.Lock()
		waiting := len(p.queue) > 0
		switch {
		case p.closed:
			p.mu.Unlock()
			p.releaseCPUSlot()
			return 0, nil, io.EOF // ends pion's loops without an alert
		case p.expired:
			p.mu.Unlock()
			p.releaseCPUSlot()
			return 0, nil, os.ErrDeadlineExceeded
		case waiting && hasSlot:
			n := copy(b, p.queue[0])
			p.flights.observe(p.queue[0], false)
			p.queue = p.queue[1:]
			p.mu.Unlock()
			return n, pipeAddr{}, nil
		}
		p.mu.Unlock()
		if waiting {
			hasSlot = p.acquireCPUSlot()
		} else {
			<-p.wake
		}
	}
}

// acquireCPUSlot waits for a CPU slot, up to cpuSlotTimeout. It returns false if
// the pipe changed meanwhile.
func (p *pipe) acquireCPUSlot() bool {
	select {
	case p.cpuSlots <- struct{}{}:
		p.setCPUSlot()
		return true
	default:
	}
	impatient := time.NewTimer(cpuSlotTimeout)
	defer impatient.Stop()
	select {
	case p.cpuSlots <- struct{}{}:
		p.setCPUSlot()
		return true
	case <-impatient.C:
		return true
	case <-p.wake:
		return false
	}
}

func (p *pipe) setCPUSlot() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hasCPUSlot = true
}

// releaseCPUSlot gives the CPU slot back, if there is one.
func (p *pipe) releaseCPUSlot() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hasCPUSlot {
		p.hasCPUSlot = false
		<-p.cpuSlots
	}
}

// WriteTo implements net.PacketConn. After Close nothing leaves any more.
func (p *pipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return 0, net.ErrClosed
	}
	p.flights.observe(b, true)
	p.mu.Unlock()
	p.send(b)
	return len(b), nil
}

// Close implements net.PacketConn.
func (p *pipe) Close() error {
	p.releaseCPUSlot() // it may not read again
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.signal()
	return nil
}

// SetReadDeadline implements net.PacketConn as far as pion uses it: a time in
// the past interrupts, the zero time does not.
func (p *pipe) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expired = !t.IsZero()
	p.signal()
	return nil
}

// SetWriteDeadline implements net.PacketConn: writes do not block.
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline implements net.PacketConn.
func (p *pipe) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// LocalAddr implements net.PacketConn.
func (p *pipe) LocalAddr() net.Addr { return pipeAddr{} }

// pipeAddr stands for the peer, whose address may change at any time.
type pipeAddr struct{}

func (pipeAddr) Network() string { return "udp" }
func (pipeAddr) String() string  { return "peer" }
