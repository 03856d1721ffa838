package loadgen

import (
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/network"
)

// A link is the simulated network of one person: everything that their ear and
// their mic send and receive goes through it. It is safe for concurrent use.
type link struct {
	links   *links
	relay   *relay
	profile *network.Profile

	mu       sync.Mutex
	up, down *network.Path
}

// send takes a packet of a client on its way to the server.
func (l *link) send(b []byte, to netip.AddrPort, from addressee) {
	l.pass(l.up, parcel{at: l.links.clock.Now(), up: true, body: b, peer: to, to: from})
}

// receive takes a packet of the server, which the kernel received at a time, on
// its way to the client.
func (l *link) receive(b []byte, from netip.AddrPort, at time.Duration, to addressee) {
	l.pass(l.down, parcel{at: at, body: b, peer: from, to: to})
}

func (l *link) pass(path *network.Path, p parcel) {
	if begun, steady := l.links.since(p.at); steady && l.profile.Out(begun) {
		return
	}
	l.mu.Lock()
	arrives, fate := path.Pass(p.at, len(p.body))
	l.mu.Unlock()
	if fate != network.Delivered {
		return
	}
	p.at = arrives
	l.relay.keep(p)
}

// rebinds is how many times the address of the person's clients should have
// changed by now.
func (l *link) rebinds() int {
	since, steady := l.links.since(l.links.clock.Now())
	if !steady || len(l.profile.Rebinds) == 0 {
		return 0
	}
	return l.profile.Rebound(since)
}

// links makes the links of a run, and holds the relays that they share. Close
// ends them.
type links struct {
	clock    *measure.Clock
	problems *problems
	seed     int64
	steady   atomic.Int64 // when the arrivals were over, on the run's clock; 0 is not yet
	late     func(time.Duration)

	mu     sync.Mutex
	relays []*relay // as many as are of use, from the first link on
	count  int
}

// of makes the link of a person, who is the given one of their group and room;
// nil if they have no simulated network.
func (n *links) of(p *network.Profile, hall, group, person int) *link {
	if p == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.relays == nil {
		for range runtime.GOMAXPROCS(0) {
			n.relays = append(n.relays, newRelay(n.clock, n.late))
		}
	}
	l := &link{links: n, profile: p, relay: n.relays[n.count%len(n.relays)]}
	n.count++
	// Rooms, groups and people are fewer than 2^20 each.
	who := uint64(hall)<<41 | uint64(group)<<21 | uint64(person)<<1
	l.up = network.NewPath(p.Up, uint64(n.seed), who)
	l.down = network.NewPath(p.Down, uint64(n.seed), who|1)
	return l
}

// since is how long ago the arrivals were over; false if they are not.
func (n *links) since(t time.Duration) (time.Duration, bool) {
	steady := time.Duration(n.steady.Load())
	return t - steady, steady != 0
}

// Close ends the relays and waits for them.
func (n *links) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.relays {
		r.Close()
	}
}
