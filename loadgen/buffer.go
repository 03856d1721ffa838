package loadgen

import (
	"context"

	"github.com/earshot-audio/earshot/internal/udpbatch"
)

const (
	// mostSharers is how many clients share a socket at the most: few sockets mean
	// full batches, and beyond this many clients batches are full anyway.
	// fewestSharers is what a socket of the system's own size is enough for.
	mostSharers, fewestSharers = 2500, 16

	// queued is what a datagram of speech takes of a socket's receive buffer on
	// Linux, with the kernel's own record of it, in bytes.
	queued = 768
	// behind is how many frames of each of its clients a shared socket is to hold,
	// for when its reader has to wait for a core.
	behind = 8

	// defaultBuffer is Linux's net.core.rmem_default, in bytes.
	defaultBuffer = 212_992
)

// buffers are the sizes of a shared socket's receive buffer that are asked for,
// one after the other, until the system allows one; 0 is its default.
var buffers = []int{8 << 20, 4 << 20, 1 << 20, 0}

// receiveBuffer is the largest of them that the system allows.
func receiveBuffer() (bytes int) {
	for _, bytes = range buffers {
		c, err := udpbatch.Listen(context.Background(), "127.0.0.1:0", udpbatch.Options{ReadBuffer: bytes})
		if err == nil {
			_ = c.Close() // nothing has been sent on it
			break
		}
	}
	return bytes
}

// sharers is how many clients, who hear so many voices at once, can share a socket
// with a receive buffer of so many bytes; 0 bytes are the system's default.
func sharers(buffer, voices int) int {
	if buffer == 0 {
		buffer = defaultBuffer
	}
	// The kernel doubles what it is asked for (socket(7)).
	return min(mostSharers, max(fewestSharers, 2*buffer/(max(voices, 1)*behind*queued)))
}
