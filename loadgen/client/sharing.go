package client

import (
	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/loadgen/host"
)

// SharesSockets means that a socket can have many local addresses, one for each client.
const SharesSockets = udpbatch.HasPacketInfo

const (
	// maxClientsPerSocket is how many clients share a socket at most: few sockets mean
	// full batches, and beyond this many clients batches are full anyway.
	// minClientsPerSocket is what the smallest usual buffer is enough for.
	maxClientsPerSocket, minClientsPerSocket = 2500, 16

	// datagramMemory is how much of a socket's receive buffer a datagram of speech takes
	// on Linux, including the kernel's own record of it, in bytes.
	datagramMemory = 768
	// bufferedFrames is how many frames of each client a shared socket should hold at least, for
	// when its reader has to wait for a core.
	bufferedFrames = 8
	// sharedBuffer is the largest buffer that more clients share, in bytes. A larger one holds
	// more frames of each.
	sharedBuffer = 8 << 20
)

// ClientsPerSocket returns how many clients that receive the given number of voices can
// share a socket. buffer is its receive buffer in bytes; 0 is the system's default.
func ClientsPerSocket(buffer, voices int) int {
	if buffer == 0 {
		buffer = host.DefaultReceiveBuffer
	}
	// The kernel doubles the requested size (socket(7)).
	return min(maxClientsPerSocket, max(minClientsPerSocket, 2*min(buffer, sharedBuffer)/(max(voices, 1)*bufferedFrames*datagramMemory)))
}
