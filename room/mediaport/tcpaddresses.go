package mediaport

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/earshot-audio/earshot/internal/icetcp"
)

// tcpAddresses translates between the addresses of TCP connections and what one of Pion's
// agents takes for them: the UDP address of the same host and port. If datagrams come
// from both, the agent's go the way by which the latest came. Its methods may be called
// from any goroutine.
type tcpAddresses struct {
	any atomic.Bool // there is an entry

	mu      sync.Mutex
	entries []tcpAddress // the latest few, the oldest first
}

// maxTCPAddresses is as many addresses as the demultiplexer keeps of an agent.
const maxTCPAddresses = 4

type tcpAddress struct{ remote, conn netip.AddrPort }

// remote returns what Pion gets to see as the source of a datagram.
func (a *tcpAddresses) remote(from netip.AddrPort) netip.AddrPort {
	overTCP := icetcp.IsConn(from)
	if !overTCP && !a.any.Load() {
		return from
	}
	remote := icetcp.Remote(from)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, e := range a.entries {
		if e.remote != remote {
			continue
		}
		a.entries[i].conn = from
		return remote
	}
	if overTCP {
		if len(a.entries) == maxTCPAddresses {
			a.entries = append(a.entries[:0], a.entries[1:]...)
		}
		a.entries = append(a.entries, tcpAddress{remote, from})
		a.any.Store(true)
	}
	return remote
}

// conn returns where a datagram of Pion's is to go.
func (a *tcpAddresses) conn(to netip.AddrPort) netip.AddrPort {
	if a == nil || !a.any.Load() {
		return to
	}
	unmapped := netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		if e.remote == unmapped {
			return e.conn
		}
	}
	return to
}
