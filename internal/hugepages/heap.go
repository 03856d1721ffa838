// Package hugepages lets the Go heap of this process lie in huge pages, where the system
// leaves that to the process.
//
// A server with thousands of ears, and a generator with as many clients, touch memory of each of
// them for every frame. In pages of 4 KB nearly every touch misses the processor's address cache.
// With 5,000 listeners, huge pages save a sixth of the generator's CPU and a twentieth of the
// server's (docs/performance.md). Linux gives huge pages on request only, on many distributions
// ("madvise" in /sys/kernel/mm/transparent_hugepage/enabled), and Go's runtime does not request them.
package hugepages

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
)

// ReserveHeap makes the heap's next size bytes lie in huge pages. It reserves addresses and no
// memory: pages are taken when they are first used, as before, but 2 MB at a time.
//
// Call it once, early: the part of the heap that is in use stays as it is. The limits of the
// process are respected: where the addresses cannot be had, or the system has no huge pages, it
// returns an error that says so, and the heap works as usual. It collects garbage twice, which
// takes a few milliseconds when the heap is small.
func ReserveHeap(size uint64) error {
	if size > maxSize || size > math.MaxInt {
		return fmt.Errorf("%d MB of addresses are more than the %d MB that this build may have", size>>20, maxSize>>20)
	}
	if err := available(int(size)); err != nil {
		return err
	}
	// The runtime keeps the addresses of a large object that is collected, with the advice, and
	// gives them to what is allocated next. It does not clear what it has just mapped.
	heap := make([]byte, size)
	err := advise(heap)
	runtime.KeepAlive(heap)
	heap = nil //nolint:ineffassign,wastedassign // the object must not live on in this frame
	debug.FreeOSMemory()
	return err
}
