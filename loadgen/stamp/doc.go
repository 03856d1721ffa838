// Package stamp has sockets that know when the kernel received what was read last: a
// [UDPConn] and a [TCPConn]. What waits in a socket's buffer is stamped already, so that a
// reader that has to wait for a core sees no delay that was not there.
//
// On other systems than Linux the time is when the process reads, and what the kernel drops
// is not known.
package stamp
