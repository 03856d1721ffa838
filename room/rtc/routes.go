package rtc

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"

	"github.com/earshot-audio/earshot/internal/lite"
)

// routedAddresses is how many addresses of a connection are known at a time: a
// browser checks from every interface that it has.
const routedAddresses = 4

// routes knows which datagrams are for Pion's connections: the authentic ICE
// checks that name one, and whatever comes from where such a check came from.
// Everything else is for the ears. Its methods may be called from any goroutine.
type routes struct {
	checks lite.Verifier

	mu      sync.RWMutex
	byUfrag map[string]*connection
	byAddr  map[netip.AddrPort]*connection
}

func newRoutes() *routes {
	return &routes{byUfrag: map[string]*connection{}, byAddr: map[netip.AddrPort]*connection{}}
}

// add makes a connection known by its ICE user name fragment.
func (r *routes) add(c *connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byUfrag[c.ufrag] = c
}

// remove forgets a connection and its addresses.
func (r *routes) remove(c *connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byUfrag[c.ufrag] == c {
		delete(r.byUfrag, c.ufrag)
	}
	for _, a := range c.addresses {
		if r.byAddr[a] == c {
			delete(r.byAddr, a)
		}
	}
	c.addresses = nil
}

// find gives the connection with a user name fragment, or nil.
func (r *routes) find(ufrag string) *connection {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byUfrag[ufrag]
}

// all lists the connections.
func (r *routes) all() []*connection {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*connection, 0, len(r.byUfrag))
	for _, c := range r.byUfrag {
		list = append(list, c)
	}
	return list
}

// size is how many connections are known, and how many addresses of theirs.
func (r *routes) size() (connections, addresses int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.byUfrag), len(r.byAddr)
}

// forPion says which of Pion's connections a datagram is for; nil: none. An ICE check
// goes by the name in it alone, so that a client may have a mic and an ear on
// one socket one after the other. Who has learned or guessed a name, and not the
// password that goes with it, does not push the client's own addresses out.
func (r *routes) forPion(b []byte, from netip.AddrPort) *connection {
	name, isCheck := checkedName(b)
	r.mu.RLock()
	bound := r.byAddr[from]
	named := bound
	if isCheck {
		named = r.byUfrag[string(name)]
	}
	r.mu.RUnlock()
	if named != nil && named != bound {
		if !r.checks.Authentic(b, named.pwd) {
			return nil
		}
		r.bind(named, from)
	}
	return named
}

// bind makes an address a connection's, of which it keeps the last few.
func (r *routes) bind(c *connection, from netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byUfrag[c.ufrag] != c || r.byAddr[from] == c {
		return
	}
	if len(c.addresses) == routedAddresses {
		if r.byAddr[c.addresses[0]] == c {
			delete(r.byAddr, c.addresses[0])
		}
		c.addresses = slices.Delete(c.addresses, 0, 1)
	}
	c.addresses = append(c.addresses, from)
	r.byAddr[from] = c
}

const (
	stunHeader   = 20
	stunCookie   = 0x2112a442
	stunUsername = 0x0006
)

// checkedName finds whom a STUN message names: the first part of its USERNAME
// (RFC 8445 section 7.2.2). It is false for anything else, and for STUN without
// a user name, such as a response.
func checkedName(b []byte) ([]byte, bool) {
	if len(b) < stunHeader || b[0] > 3 || binary.BigEndian.Uint32(b[4:]) != stunCookie {
		return nil, false
	}
	for rest := b[stunHeader:]; len(rest) >= 4; {
		kind, n := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		padded := 4 + (n+3)&^3
		if len(rest) < padded {
			return nil, false
		}
		if kind == stunUsername {
			value := rest[4 : 4+n]
			if i := slices.Index(value, ':'); i >= 0 {
				value = value[:i]
			}
			return value, true
		}
		rest = rest[padded:]
	}
	return nil, false
}
