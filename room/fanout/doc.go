// Package fanout carries the sound of a room from its mics to its ears.
//
// A [Hall] takes frames from mics, lets the loudest of them have the room's
// slots, and passes each frame on to every ear. The words:
//
//   - A mix is what a group of ears hears: a number of slots and the talker
//     that is left out of them (nobody hears their own mic). Every mix assigns
//     its slots by itself, so an ear with fewer sections than the room has
//     slots still gets the loudest voices.
//   - A slot is one voice of a mix. It is held by one mic at a time, and its
//     sequence numbers and timestamps run on unbroken when the holder changes.
//   - A shard is a goroutine that sends to its share of the ears. A mic never
//     waits for a shard: what a full queue can't take is dropped and counted.
//
// The package knows nothing of sockets, SDP or encryption; an [Ear] is whatever
// can take a [Packet].
package fanout
