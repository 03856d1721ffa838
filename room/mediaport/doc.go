// Package mediaport is the port of a server's media: a [Port] of one UDP port, with a socket
// for each shard, and a TCP port beside it (RFC 6544).
//
// What comes in goes to a lite.Server, the only demultiplexer of the port: [Port.Serve]. What
// goes out goes by one of three ways:
//
//   - a [Batch] gathers what a shard has for all its ears, and sends it in one system call; several
//     packets for one ear are a [Bundle], which leaves as one message;
//   - a reader gathers the demultiplexer's replies in a batch of its own;
//   - [Port.Write] sends one datagram. A [Mux] writes so for one of Pion's ICE agents, which
//     takes it for a port of its own.
//
// None of them waits: what can't be sent now is dropped and counted. A connection of the TCP
// side has an address of its own (internal/icetcp), by which the demultiplexer knows it, and by
// which a batch gives its packets to the queue of the connection instead of the socket.
package mediaport
