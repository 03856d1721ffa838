// Package signaling serves rooms to the outside: a WebSocket for people with
// the whole protocol (docs/protocol.md), WHIP and WHEP for those with one media
// session and nothing else, and an HTTP API for creating, looking at and ending
// rooms, with metrics and health beside it.
//
// The rules are those of package room, the media that of room/rtc. This package
// holds the two together: a live room is a rules.Room and an rtc.Room under one
// lock, and every change of the rules is carried out on the media at once. The
// lock is never held while a media session is being set up or torn down.
//
// Goroutines: a WebSocket has two (a reader and a writer with a bounded queue),
// a media session one that waits for its end, the server one that closes rooms
// nobody is in. Broadcasts run on a timer, only while something has changed.
package signaling
