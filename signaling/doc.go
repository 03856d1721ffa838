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
// Goroutines: a WebSocket has none while nothing comes and nothing goes. What
// comes is told by a poller (over TLS, and on other systems than Linux, one
// goroutine for each session waits instead), what goes waits in a bounded queue,
// and a crew of goroutines that is as large as it has to be at the moment does the
// work. A media session tells its end by a call. The server has one goroutine that
// checks rooms and closes those nobody is in. Broadcasts run on a timer, only while
// something has changed.
package signaling
