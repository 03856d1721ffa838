package host

import (
	"context"

	"github.com/earshot-audio/earshot/internal/udpbatch"
)

const (
	// DefaultReceiveBuffer is Linux's net.core.rmem_default, in bytes.
	DefaultReceiveBuffer = 212_992

	// LargestReceiveBuffer is the largest size that is requested, in bytes. What waits in a buffer
	// is stamped already: a generator that has no core for half a second reads it late and loses
	// nothing. The kernel takes the memory only while something waits.
	LargestReceiveBuffer = 32 << 20
)

// receiveBufferSizes are the sizes that are requested for a shared socket, one after the
// other until the system allows one. 0 is the system's default.
var receiveBufferSizes = []int{LargestReceiveBuffer, 16 << 20, 8 << 20, 4 << 20, 1 << 20, 0}

// ReceiveBuffer returns the largest of them that the system allows.
func ReceiveBuffer() (bytes int) {
	for _, bytes = range receiveBufferSizes {
		c, err := udpbatch.Listen(context.Background(), "127.0.0.1:0", udpbatch.Options{ReadBuffer: bytes})
		if err == nil {
			_ = c.Close() // nothing was sent on it
			break
		}
	}
	return bytes
}
