// Package access decides who may see, join and manage which room: what a
// principal's token (package auth) and a room's visibility and owner (package
// liveroom) mean together. The rules of the room itself, such as capacity and
// blocks, come after it.
//
// A room that a principal may not see looks exactly like one that does not exist.
// The package has no state of its own, and starts no goroutines.
package access
