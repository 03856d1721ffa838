package client

import "github.com/earshot-audio/earshot/loadgen/host"

const (
	// mostSharers is how many clients share a socket at the most: few sockets mean
	// full batches, and beyond this many clients batches are full anyway.
	// fewestSharers is what a socket of the system's own size is enough for.
	maxClientsPerSocket, minClientsPerSocket = 2500, 16

	// queued is what a datagram of speech takes of a socket's receive buffer on
	// Linux, with the kernel's own record of it, in bytes.
	datagramMemory = 768
	// behind is how many frames of each of its clients a shared socket is to hold,
	// for when its reader has to wait for a core.
	bufferedFrames = 8
)

// sharers is how many clients, who hear so many voices at once, can share a socket
// with a receive buffer of so many bytes; 0 bytes are the system's default.
func ClientsPerSocket(buffer, voices int) int {
	if buffer == 0 {
		buffer = host.DefaultReceiveBuffer
	}
	// The kernel doubles what it is asked for (socket(7)).
	return min(maxClientsPerSocket, max(minClientsPerSocket, 2*buffer/(max(voices, 1)*bufferedFrames*datagramMemory)))
}
