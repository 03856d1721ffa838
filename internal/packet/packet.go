// Package packet is the memory that a batch of packets lives in while it is made
// and sent. Nothing in it allocates once made.
//
// It imports nothing of the project.
package packet

// Size is the room that one datagram needs at the most, in bytes: more than an
// Ethernet frame carries (1,500), so that a datagram that does not fit is not
// ours.
const Size = 2048
