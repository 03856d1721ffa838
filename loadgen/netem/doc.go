// Package netem emulates networks in the process, as Linux's netem does in the
// kernel: it delays, loses and reorders the packets of clients that have a
// [network.Profile]. No privileges are needed.
//
// An [Emulator] belongs to one run. It makes an [Impairment] for each person, and
// holds the queues in which delayed packets wait, each with one goroutine;
// [Emulator.Close] ends them and waits. A packet that is lost or dropped is
// forgotten, as datagrams are. The package owns no sockets: clients pass packets in
// and implement [Endpoint] to get them out.
//
// Everything is safe for concurrent use. The same seed and the same packets at the
// same times give the same fates.
package netem
