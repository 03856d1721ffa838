package prefetch

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// Whatever is asked for, nothing is read or written: what lies at the end of
// memory, or nowhere, is no harm.
func TestPrefetchReadsAndWritesNothing(t *testing.T) {
	s := make([]uint64, 1000)
	for i := range s {
		s[i] = uint64(i)
	}
	assert.NotPanics(t, func() {
		Slice(s)
		Slice(s[:0])
		Slice[byte](nil)
		Object(&s[999])
		Span(&s[0], &s[999])
		Span(&s[999], &s[0])
		Span((*byte)(nil), &s[0])
		Object((*[4096]byte)(nil))
		lines(unsafe.Pointer(&s[0]), 1<<20)
	})
	for i := range s {
		assert.Equal(t, uint64(i), s[i])
	}
}
