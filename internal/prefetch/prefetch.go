// Package prefetch asks for memory before it is needed.
//
// The state of thousands of listeners is many times what a processor's cache
// holds, and is gone from it when a frame later the next packet comes. One
// object takes as long to come from memory as a dozen do that are asked for
// together: code that goes through many asks for the next few first.
//
// It is a hint. It reads nothing, is no access in the sense of Go's memory model,
// and does nothing on processors that it has no code for.
package prefetch

import "unsafe"

// Object asks for all of what p points to.
func Object[T any](p *T) { lines(unsafe.Pointer(p), unsafe.Sizeof(*p)) }

// Span asks for an object's memory from one of its fields up to and with another
// that stands after it.
func Span[A, B any](first *A, last *B) {
	from, to := uintptr(unsafe.Pointer(first)), uintptr(unsafe.Pointer(last))
	if first != nil && from <= to {
		lines(unsafe.Pointer(first), to-from+unsafe.Sizeof(*last))
	}
}

// Slice asks for the elements of s.
func Slice[T any](s []T) {
	var element T
	lines(unsafe.Pointer(unsafe.SliceData(s)), uintptr(len(s))*unsafe.Sizeof(element))
}
