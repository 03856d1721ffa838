// Package ws serves WebSocket connections that carry messages of package wire:
// thousands of them, most of which wait most of the time. It knows nothing of
// rooms, tokens or what the messages mean.
//
// A [Server] upgrades requests to a [Conn] each and gives what a client sends to
// the connection's [Handler]. [Conn.Send] queues a message for the client.
//
// Concurrency. A connection has two halves. The reading half calls its Handler,
// one call at a time and in the order of the messages. The writing half empties a
// queue of bounded length. Neither has a goroutine while it has nothing to do:
//
//   - A poller (one epoll instance and one goroutine a server) reports the
//     sockets that have something to read. Over TLS, and on other systems than
//     Linux, the reading half waits in a goroutine of its own instead.
//   - A pool of workers runs the halves that have work. Every job starts at once,
//     because each may block on a slow client; 64 idle workers are kept.
//   - One timer a connection sends its pings and ends it when its client is silent. The pings of
//     all connections are gathered into few moments: each moment wakes the process.
//
// With 5,000 silent listeners this took a server's resident memory from 248 to
// 123 MB (docs/performance.md), and its goroutines' stacks from 72 to 1 MB.
//
// Back pressure. [Conn.Send] never blocks. A client that does not read until its
// queue is full is disconnected with the reason [wire.GoodbyeSlow], so that it
// holds up nobody else.
//
// End. A connection ends once, whatever ends it: [Conn.Finish] with a goodbye and
// the closing handshake (RFC 6455, section 7), [Conn.Abort] without, or the
// client. Its Handler is then told by HandleClose, after the last message. The
// connection is over when both of its halves have ended. [Server.Shutdown] ends
// all connections and waits for them.
package ws
