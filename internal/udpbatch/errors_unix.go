//go:build unix

package udpbatch

import "syscall"

// truncated reports whether a datagram was longer than its buffer, by the flags or
// the error of the read.
func truncated(flags int, _ error) bool { return flags&syscall.MSG_TRUNC != 0 }

// full reports whether a send failed for want of buffer space.
func full(errno syscall.Errno) bool {
	return errno == syscall.EAGAIN || errno == syscall.ENOBUFS || errno == syscall.ENOMEM
}
