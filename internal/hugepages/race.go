//go:build race

package hugepages

// maxSize is how much ReserveHeap reserves at most, in bytes: the race detector takes four times
// as much memory for each large object at once.
const maxSize uint64 = 64 << 20
