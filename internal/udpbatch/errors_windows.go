package udpbatch

import (
	"errors"
	"syscall"
)

// Winsock errors that package syscall does not name.
const (
	wsaWouldBlock  syscall.Errno = 10035
	wsaMessageSize syscall.Errno = 10040
	wsaNoBuffers   syscall.Errno = 10055
)

// truncated reports whether a datagram was longer than its buffer, by the flags or
// the error of the read.
func truncated(_ int, err error) bool { return errors.Is(err, wsaMessageSize) }

// full reports whether a send failed for want of buffer space.
func full(errno syscall.Errno) bool { return errno == wsaWouldBlock || errno == wsaNoBuffers }
