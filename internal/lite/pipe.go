package lite

import (
	"sync"
	"time"
)

// pipeDepth is how many datagrams wait for a handshake: the largest flight,
// split small and sent twice.
const pipeDepth = 32

// pipe is how datagrams get to a handshake. They are put in by Handle.
//
// A handshake computes from when it has read a datagram until it reads again. In
// between it holds a CPU slot of the limiter.
type pipe struct {
	cpuSlots chan struct{} // the limiter's
	transmit func(b []byte)

	mu         sync.Mutex
	queue      [][]byte
	hasCPUSlot bool          // it holds a CPU slot
	wake       chan struct{} // of one place: the queue changed, or it is to hurry
	hurried    bool
	closed     chan struct{} // to be closed
	closeOnce  sync.Once
}

func newPipe(l *Limiter, transmit func([]byte)) *pipe {
	return &pipe{cpuSlots: l.cpuSlots, transmit: transmit, wake: make(chan struct{}, 1), closed: make(chan struct{})}
}

// put hands in a datagram, of which a copy is kept. It is dropped if the queue
// is full. What comes once the handshake is over waits for drain: an alert, say, is
// sent once only.
func (p *pipe) put(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == pipeDepth {
		return
	}
	p.queue = append(p.queue, append([]byte(nil), b...))
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// drain gives what was not read.
func (p *pipe) drain() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	rest := p.queue
	p.queue = nil
	return rest
}

// hurry has read return without a datagram.
func (p *pipe) hurry() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hurried = true
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// takeHurry reports whether it was to hurry since the last time.
func (p *pipe) takeHurry() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	hurried := p.hurried
	p.hurried = false
	return hurried
}

// read takes the next datagram: nil if none comes until then, or if it is to hurry. It has one caller at a
// time.
func (p *pipe) read(until <-chan time.Time) ([]byte, error) {
	p.releaseCPUSlot()
	for p.waiting() == 0 {
		if p.isHurried() {
			return nil, nil
		}
		select {
		case <-p.wake:
		case <-p.closed:
			return nil, ErrClosed
		case <-until:
			return nil, nil
		}
	}
	if p.isClosed() || !p.acquireCPUSlot() {
		return nil, ErrClosed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.queue[0]
	p.queue = p.queue[1:]
	return b, nil
}

func (p *pipe) isHurried() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hurried
}

// waiting is how many datagrams wait.
func (p *pipe) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue)
}

// acquireCPUSlot waits for a CPU slot, up to cpuSlotTimeout. It returns false if
// the pipe is closed meanwhile.
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
	case <-p.closed:
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

// send sends a datagram. Once the pipe is closed nothing leaves any more.
func (p *pipe) send(b []byte) {
	if !p.isClosed() {
		p.transmit(b)
	}
}

// close ends the handshake: nothing is read or sent any more.
func (p *pipe) close() { p.closeOnce.Do(func() { close(p.closed) }) }

func (p *pipe) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}
