// Package fanout carries the sound of a room from its mics to its ears.
//
// A [Router] takes frames from mics, lets the loudest of them have the room's
// slots, and passes each frame on to every ear. The words:
//
//   - A mix is what a group of ears hears: a number of slots, and the talker who
//     is left out (nobody hears their own mic: a mix-minus). Every mix assigns its
//     slots by itself, so an ear with fewer sections than the room has slots still
//     gets the loudest voices.
//   - A slot is one voice of a mix. It is held by one mic at a time, and its
//     sequence numbers and timestamps run on unbroken when the holder changes.
//   - A shard is a goroutine that sends to its share of the ears. A mic never
//     waits for a shard: what a full queue can't take is dropped and counted.
//
// The way of a frame: [Publisher.Push], in the goroutine of the mic, gives it a
// slot and a place in every mix (mix.go, rtptimeline.go) and queues it for each
// shard (queue.go). The shard (shard.go) walks its ears and calls Send of each
// [Sink] with all that waits and the shard's [SendBatch], then flushes the batch. Nothing of it takes
// a lock that is held while something else waits, and a frame costs no memory for
// an ear.
//
// The package knows nothing of sockets, SDP or encryption. It imports
// internal/prefetch and nothing else of the project.
package fanout
