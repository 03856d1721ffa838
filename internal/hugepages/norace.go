//go:build !race

package hugepages

// maxSize is how much ReserveHeap reserves at most, in bytes: Go's heap can have no more addresses.
const maxSize uint64 = 1 << 47
