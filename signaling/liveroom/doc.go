// Package liveroom holds rooms with people in them. A [LiveRoom] is the rules of a
// room (package room) and its media (package room/rtc) under one lock; a
// [Registry] holds all live rooms of a process.
//
// Every change of the rules goes through [LiveRoom.Change], which carries out its
// events on the media, the participants and their connections at once. When a
// change has been acknowledged, whoever lost their media by it is neither heard nor
// hears anything, and what must outlive the process has been saved.
//
// Under a room's lock only work is done that does not wait: messages are queued,
// talkers muted, sessions detached from the packet path. The exception is saving
// through a [Persister], which is rare. Media sessions are set up and closed, and
// ended rooms torn down, without the lock.
//
// Lock order: a room's lock, then that of the account index. The registry's lock
// and a room's lock are never held together.
//
// What people are told about a room goes out in broadcasts: a change of presence
// costs one message for each hall and one for the stage per interval, so that N
// people who join within an interval cause N messages, not N².
//
// Participants come by a WebSocket, of which this package knows a [Connection], or
// by one WHIP or WHEP session, which ends together with their membership.
//
// Goroutines: the registry has one, which checks all rooms once a second. A room
// has timers, and one goroutine for its teardown. [Registry.Shutdown] ends all of
// them.
package liveroom
