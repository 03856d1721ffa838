// Package icetcp carries the datagrams of ICE over TCP: a server's passive candidates and
// the connections that its clients make to them (RFC 6544), with each datagram in a frame
// (RFC 4571).
//
// A [Conn] never makes its sender wait for the other side: what is sent waits in a bounded
// queue, and what does not fit there is lost and counted, as datagrams are.
package icetcp
