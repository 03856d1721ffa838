package loadgen

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/loadgen/measure"
)

const (
	// ticking is how often the crowd's timers are looked at.
	ticking = 10 * time.Millisecond
	// reporting is how many groups the crowd is in for its receiver reports:
	// one group each tick, everybody every 5 s.
	reporting = int(reportInterval / ticking)
)

// A crowd is the run's lean listeners: thousands of clients on a few sockets,
// with one goroutine for their timers and one a socket. Close ends it.
type crowd struct {
	clock       *measure.Clock
	recovery    *recovery
	waited      waiting
	certificate *lite.Certificate
	lite        *lite.Crowd
	unauthentic atomic.Uint64
	replayed    atomic.Uint64
	reached     sync.Map // the addresses of servers that answered

	buffer  int // of a shared socket's datagrams, in bytes; 0: the system's default
	sharers int // clients that share a socket

	mu     sync.Mutex
	shared []*lane // sockets of those whose server is on the loopback
	next   uint32  // the next loopback address to give out
	moved  uint32  // and of those that are given out for a rebind
	groups [reporting]map[*way]struct{}
	count  int

	cancel  context.CancelFunc
	workers sync.WaitGroup
}

// newCrowd makes a crowd of listeners who hear so many voices at once at the most.
func newCrowd(clock *measure.Clock, r *recovery, waited waiting, voices int) (*crowd, error) {
	certificate, err := lite.NewCertificate(time.Now())
	if err != nil {
		return nil, err
	}
	clients, err := lite.NewCrowd(lite.CrowdConfig{Certificate: certificate})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	buffer := receiveBuffer()
	c := &crowd{
		clock: clock, recovery: r, waited: waited, certificate: certificate, lite: clients, cancel: cancel,
		buffer: buffer, sharers: sharers(buffer, voices),
	}
	for i := range c.groups {
		c.groups[i] = map[*way]struct{}{}
	}
	c.workers.Go(func() { c.tick(ctx) })
	return c, nil
}

// tick runs the timers until ctx is done.
func (c *crowd) tick(ctx context.Context) {
	ticker := time.NewTicker(ticking)
	defer ticker.Stop()
	var group []*leanEar
	for last := c.clock.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := c.clock.Now()
		group = c.due(group[:0], last, now)
		last = now
		lanes := c.lanes()
		for _, l := range lanes {
			l.out.open()
		}
		c.lite.Tick(c.clock.Time(now))
		for _, e := range group {
			// One that is not connected yet, or no more, has nothing to say.
			_ = e.report()
		}
		for _, l := range lanes {
			l.out.close()
		}
	}
}

// due appends the ears whose reports are due after one moment and until another:
// by the clock, since a ticker leaves turns out when the machine is late.
func (c *crowd) due(group []*leanEar, after, until time.Duration) []*leanEar {
	turn, end := int64(after/ticking), int64(until/ticking)
	c.mu.Lock()
	defer c.mu.Unlock()
	for turn = max(turn, end-int64(reporting)) + 1; turn <= end; turn++ {
		for w := range c.groups[turn%int64(reporting)] {
			group = append(group, w.ear)
		}
	}
	return group
}

// lanes is the shared sockets so far.
func (c *crowd) lanes() []*lane {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shared[:len(c.shared):len(c.shared)]
}

// way gives an ear a socket and an address to reach a server's address by: on
// the loopback an address of its own on a shared socket, elsewhere a socket.
func (c *crowd) way(to netip.AddrPort, e *leanEar) (*way, error) {
	if to.Addr().Is4() && to.Addr().IsLoopback() && sharing {
		return c.share(e)
	}
	l, err := c.open(laneOptions{address: anyAddress(to.Addr())})
	if err != nil {
		return nil, err
	}
	w := &way{crowd: c, lane: l, own: true, ear: e, link: e.link}
	l.only.Store(w)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enter(w)
	return w, nil
}

// share gives an ear the next address of 127.0.0.0/8 on one of the shared
// sockets.
func (c *crowd) share(e *leanEar) (*way, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := int(c.next) / c.sharers
	if i == len(c.shared) {
		l, err := c.open(laneOptions{address: "0.0.0.0:0", home: firstHome + uint32(i*c.sharers)})
		if err != nil {
			return nil, err
		}
		c.shared = append(c.shared, l)
	}
	n := firstHome + c.next
	c.next++
	w := &way{
		crowd: c, lane: c.shared[i], ear: e, link: e.link, local: loopbackAddress(n),
	}
	w.lane.enter(w)
	c.enter(w)
	return w, nil
}

// firstHome is 127.1.0.1: from there on every client of a shared socket has an
// address. All of that network are the host's own.
const firstHome = 0x7f01_0001

func loopbackAddress(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// known is 1 for an address of a server that has answered somebody.
func (c *crowd) known(a netip.Addr) int {
	if _, ok := c.reached.Load(a); ok {
		return 1
	}
	return 0
}

// another is an address that no client has had.
func (c *crowd) another() netip.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	// 127.128.0.1 and on, round and round: the addresses of clients end before.
	n := 0x7f80_0001 + c.moved%0x7f_0000
	c.moved++
	return loopbackAddress(n)
}

// enter puts a way's ear into a group for its reports. c.mu is held.
func (c *crowd) enter(w *way) {
	w.group = c.count % reporting
	c.groups[w.group][w] = struct{}{}
	c.count++
}

// leave takes it out.
func (c *crowd) leave(w *way) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.groups[w.group], w)
}

// dropped is how many packets the shared sockets have dropped.
func (c *crowd) dropped() (n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.shared {
		n += l.dropped()
	}
	return n
}

// Close closes every client and socket and waits for the crowd's goroutines.
func (c *crowd) Close() error {
	c.cancel()
	c.lite.Close()
	c.mu.Lock()
	sockets := c.shared
	for _, group := range c.groups {
		for w := range group {
			if w.own {
				sockets = append(sockets, w.lane)
			}
		}
	}
	c.mu.Unlock()
	var errs []error
	for _, l := range sockets {
		errs = append(errs, l.conn.Close())
	}
	c.workers.Wait()
	return errors.Join(errs...)
}
