package liveroom

import (
	"cmp"
	"slices"
	"sync"
)

// Arrival orders the arrivals of an account at the servers of a cluster: of two the
// later one stays. The zero value is earlier than all.
type Arrival struct {
	Stamp  uint64 `json:"stamp"`
	Server string `json:"server"`
}

// before reports whether a is earlier than b. All servers agree on it.
func (a Arrival) before(b Arrival) bool {
	return cmp.Or(cmp.Compare(a.Stamp, b.Stamp), cmp.Compare(a.Server, b.Server)) < 0
}

// arrivals are the accounts that are coming into rooms here. An account comes in at one place at a time: an arrival
// that is overtaken by a later one, here or at another server, does not stay, even if it is not in yet when that is known.
// No other lock of a room or registry is taken while its lock is held.
type arrivals struct {
	// next returns an arrival that is later than all that this server knows of.
	next func() Arrival

	mu     sync.Mutex
	coming map[string][]*coming
}

// coming is one account on its way in.
type coming struct {
	Arrival
	overtaken bool
}

func newArrivals(cluster Cluster) *arrivals {
	a := &arrivals{coming: make(map[string][]*coming)}
	var last uint64
	a.next = func() Arrival { // with the lock held
		last++
		return Arrival{Stamp: last}
	}
	if cluster != nil {
		a.next = cluster.NewArrival
	}
	return a
}

// begin notes that an account is coming in. It overtakes those of it that are on their way.
func (a *arrivals) begin(account string) *coming {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := &coming{Arrival: a.next()}
	if account == "" {
		return c
	}
	for _, other := range a.coming[account] {
		other.overtaken = true
	}
	a.coming[account] = append(a.coming[account], c)
	return c
}

// overtake notes an arrival at another server. One that begins here afterwards is later.
func (a *arrivals) overtake(account string, by Arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.coming[account] {
		c.overtaken = c.overtaken || c.before(by)
	}
}

// isOvertaken reports whether a later arrival of the account is known.
func (a *arrivals) isOvertaken(c *coming) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return c.overtaken
}

// end notes that an account is in, or is not let in.
func (a *arrivals) end(account string, c *coming) {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := slices.DeleteFunc(a.coming[account], func(other *coming) bool { return other == c })
	if a.coming[account] = left; len(left) == 0 {
		delete(a.coming, account)
	}
}
