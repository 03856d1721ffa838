package client

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

const (
	// tickInterval is how often the crowd's timers run.
	tickInterval = 10 * time.Millisecond
	// reportGroups is how many groups the crowd is divided into for receiver reports:
	// one group reports each tick, and everybody every 5 s.
	reportGroups = int(reportInterval / tickInterval)
)

// A Crowd holds the run's lean listeners: thousands of clients on a few sockets. It has
// one goroutine for their timers and one for each socket. Close ends it. It is safe for
// concurrent use.
type Crowd struct {
	clock       *timebase.Clock
	recovery    *feedback.NACKCounter
	turn        TURN // of those who go by one
	delayed     QueueDelayFunc
	certificate *lite.Certificate
	lite        *lite.ClientGroup
	unauthentic atomic.Uint64
	replayed    atomic.Uint64
	answering   sync.Map // the addresses of servers that answered
	// bundle is the most packets that have come, or may come, as one message.
	bundle atomic.Int32

	buffer  int // of a shared socket's datagrams, in bytes; 0: the system's default
	sharers int // clients that share a socket

	mu     sync.Mutex
	shared []*crowdSocket // sockets of those whose server is on the loopback
	next   uint32         // the next loopback address to give out
	moved  uint32         // and of those that are given out for a rebind
	groups [reportGroups]map[*clientPath]struct{}
	count  int
	// ticks are how long the latest ticks took, in ns, by their number.
	ticks [recentTicks]atomic.Int64

	cancel  context.CancelFunc
	workers sync.WaitGroup
}

// recentTicks is how many ticks' lengths are known: 5 s of them.
const recentTicks = 512

// tickTime returns how long the tick took that sent something at a time, or has taken if
// it still lasts: so much later the packet may have left.
func (c *Crowd) tickTime(at time.Duration) time.Duration {
	if took := c.ticks[at/tickInterval%recentTicks].Load(); took > 0 {
		return time.Duration(took)
	}
	return c.clock.Now() - at
}

// NewCrowd makes a crowd of listeners who receive at most the given number of voices at
// once. delayed is called from any goroutine. relay may be of no server.
func NewCrowd(clock *timebase.Clock, r *feedback.NACKCounter, waited QueueDelayFunc, voices int, relay TURN) (*Crowd, error) {
	certificate, err := lite.NewCertificate(time.Now())
	if err != nil {
		return nil, err
	}
	clients, err := lite.NewClientGroup(lite.ClientGroupConfig{Certificate: certificate})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	buffer := host.ReceiveBuffer()
	c := &Crowd{
		clock: clock, recovery: r, turn: relay, delayed: waited, certificate: certificate, lite: clients, cancel: cancel,
		buffer: buffer, sharers: ClientsPerSocket(buffer, voices),
	}
	for i := range c.groups {
		c.groups[i] = map[*clientPath]struct{}{}
	}
	c.workers.Go(func() { c.tick(ctx) })
	return c, nil
}

// tick runs the timers until ctx is done.
func (c *Crowd) tick(ctx context.Context) {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	var group []*LeanClient
	for last := c.clock.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := c.clock.Now()
		group = c.due(group[:0], last, now)
		last = now
		took := &c.ticks[now/tickInterval%recentTicks]
		took.Store(0)
		lanes := c.sockets()
		for _, l := range lanes {
			l.batch.open()
		}
		c.lite.Tick(c.clock.Time(now))
		for _, e := range group {
			// A client that is not connected has nothing to report.
			_ = e.report()
		}
		for _, l := range lanes {
			l.batch.close()
		}
		took.Store(int64(max(c.clock.Now()-now, 1)))
	}
}

// due appends the clients whose reports are due after one moment and until another. It
// goes by the clock, since a ticker skips ticks when the machine is late.
func (c *Crowd) due(group []*LeanClient, after, until time.Duration) []*LeanClient {
	turn, end := int64(after/tickInterval), int64(until/tickInterval)
	c.mu.Lock()
	defer c.mu.Unlock()
	for turn = max(turn, end-int64(reportGroups)) + 1; turn <= end; turn++ {
		for w := range c.groups[turn%int64(reportGroups)] {
			group = append(group, w.client)
		}
	}
	return group
}

// sockets returns the shared sockets opened so far.
func (c *Crowd) sockets() []*crowdSocket {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shared[:len(c.shared):len(c.shared)]
}

// path gives a client a socket and an address from which to reach a server's address: on
// the loopback interface an address of its own on a shared socket, elsewhere a socket of
// its own. A client that does not go by UDP has a link instead.
func (c *Crowd) path(ctx context.Context, to netip.AddrPort, e *LeanClient) (*clientPath, error) {
	if e.via != network.UDP {
		return c.linkPath(ctx, to, e)
	}
	if to.Addr().Is4() && to.Addr().IsLoopback() && SharesSockets {
		return c.share(e)
	}
	l, err := c.open(socketOptions{address: anyAddress(to.Addr())})
	if err != nil {
		return nil, err
	}
	w := &clientPath{crowd: c, socket: l, exclusive: true, client: e, impairment: e.impairment}
	l.exclusive.Store(w)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addPath(w)
	return w, nil
}

// share gives a client the next address of 127.0.0.0/8 on one of the shared sockets.
func (c *Crowd) share(e *LeanClient) (*clientPath, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := int(c.next) / c.sharers
	if i == len(c.shared) {
		l, err := c.open(socketOptions{address: "0.0.0.0:0", first: firstClientAddress + uint32(i*c.sharers)})
		if err != nil {
			return nil, err
		}
		c.shared = append(c.shared, l)
	}
	n := firstClientAddress + c.next
	c.next++
	w := &clientPath{
		crowd: c, socket: c.shared[i], client: e, impairment: e.impairment, local: loopbackAddress(n),
	}
	w.socket.add(w)
	c.addPath(w)
	return w, nil
}

// firstClientAddress is 127.1.0.1, the first address of clients on shared sockets. All
// of 127.0.0.0/8 belongs to the host itself.
const firstClientAddress = 0x7f01_0001

func loopbackAddress(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// answered returns 1 for an address of a server that has answered a client, else 0.
func (c *Crowd) answered(a netip.Addr) int {
	if _, ok := c.answering.Load(a); ok {
		return 1
	}
	return 0
}

// nextMovedAddress returns an address that no client has had.
func (c *Crowd) nextMovedAddress() netip.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	// From 127.128.0.1 on, again and again: the clients' first addresses end before it.
	n := 0x7f80_0001 + c.moved%0x7f_0000
	c.moved++
	return loopbackAddress(n)
}

// addPath puts a client into a group for its reports. c.mu is held.
func (c *Crowd) addPath(w *clientPath) {
	w.group = c.count % reportGroups
	c.groups[w.group][w] = struct{}{}
	c.count++
}

// removePath takes the client out of its group.
func (c *Crowd) removePath(w *clientPath) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.groups[w.group], w)
}

// Refused returns how many packets failed authentication, and how many were replays.
func (c *Crowd) Refused() (unauthentic, replayed uint64) {
	return c.unauthentic.Load(), c.replayed.Load()
}

// noteBundle records that so many packets came as one message.
func (c *Crowd) noteBundle(packets int) {
	for n := max(int32(packets), maxBundle); ; {
		before := c.bundle.Load()
		if before >= n || c.bundle.CompareAndSwap(before, n) {
			return
		}
	}
}

// Dropped returns how many packets the shared sockets have dropped at most: the kernel
// counts messages, and each may have been a bundle if any was.
func (c *Crowd) Dropped() (n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.shared {
		n += l.dropped()
	}
	return n * c.PacketsPerDrop()
}

// PacketsPerDrop returns how many packets the crowd loses at most where the kernel
// counts one drop.
func (c *Crowd) PacketsPerDrop() uint64 { return uint64(max(c.bundle.Load(), 1)) }

// Close closes every client and socket and waits for the crowd's goroutines.
func (c *Crowd) Close() error {
	c.cancel()
	c.lite.Close()
	c.mu.Lock()
	sockets := c.shared
	var links []link
	for _, group := range c.groups {
		for w := range group {
			switch {
			case w.link != nil:
				links = append(links, w.link)
			case w.exclusive:
				sockets = append(sockets, w.socket)
			}
		}
	}
	c.mu.Unlock()
	var errs []error
	for _, l := range sockets {
		errs = append(errs, l.conn.Close())
	}
	for _, l := range links {
		errs = append(errs, l.close())
	}
	c.workers.Wait()
	return errors.Join(errs...)
}
