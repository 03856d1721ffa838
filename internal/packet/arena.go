package packet

import "fmt"

// An Arena is the memory of one batch: datagrams made one after the other, sent
// in one system call, and forgotten together. They lie end to end, because a
// stride of [Size] maps all of a batch to a few sets of the processor's cache.
//
// An Arena has one owner and is not safe for concurrent use. What it hands out
// is valid until the next Reset: the owner sends before it resets, which is all
// the release there is.
type Arena struct {
	memory []byte
	used   int
}

// NewArena makes an arena of so many bytes, at least [Size].
func NewArena(bytes int) (*Arena, error) {
	if bytes < Size {
		return nil, fmt.Errorf("packet arena of %d bytes: at least %d are needed for one packet", bytes, Size)
	}
	return &Arena{memory: make([]byte, bytes)}, nil
}

// Take returns n > 0 bytes of leftovers, with no capacity beyond them, or nil
// when fewer are left: time to send and Reset.
func (a *Arena) Take(n int) []byte {
	if n <= 0 || n > len(a.memory)-a.used {
		return nil
	}
	b := a.memory[a.used : a.used+n : a.used+n]
	a.used += n
	return b
}

// Reset makes all of the arena free again.
func (a *Arena) Reset() { a.used = 0 }
