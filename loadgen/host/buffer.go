package host

import (
	"context"

	"github.com/earshot-audio/earshot/internal/udpbatch"
)

const (
	// defaultBuffer is Linux's net.core.rmem_default, in bytes.
	DefaultReceiveBuffer = 212_992

	// largestBuffer is the largest that is asked for, in bytes.
	LargestReceiveBuffer = 8 << 20
)

// buffers are the sizes of a shared socket's receive buffer that are asked for,
// one after the other, until the system allows one; 0 is its default.
var receiveBufferSizes = []int{LargestReceiveBuffer, 4 << 20, 1 << 20, 0}

// receiveBuffer is the largest of them that the system allows.
func ReceiveBuffer() (bytes int) {
	for _, bytes = range receiveBufferSizes {
		c, err := udpbatch.Listen(context.Background(), "127.0.0.1:0", udpbatch.Options{ReadBuffer: bytes})
		if err == nil {
			_ = c.Close() // nothing has been sent on it
			break
		}
	}
	return bytes
}
