// Package workers has the machines of a load test play one scenario together, over NATS.
//
// A [Coordinator] serves NATS, or uses a server that is there, and takes in workers until
// there are enough. [Join] is a worker's side. Both compare what they have to agree on
// before anything starts: the build and the audio. What they say to each other in the run,
// and what comes of it, is package loadgen's; this package carries it.
//
// Whoever knows the coordinator's token can play a part, and gets the target's token with
// it.
package workers
