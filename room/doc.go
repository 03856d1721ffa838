// Package room holds the rules of one conversation: who may be in it, in which
// role, who may be heard, and who may change that.
//
// It is pure. It opens no sockets, starts no goroutines, reads no clock and
// knows no encoding: every call is given the time and returns the events it
// caused. A refused call changes nothing.
//
// A room has a stage of few and an audience of many. Hosts and speakers are on
// stage, listeners sit in the audience; capacity counts audience seats only.
//
// A [Room] is not safe for concurrent use. Whoever owns it serialises the calls,
// for instance with one lock a room.
package room
