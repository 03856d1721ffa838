// Package doubt keeps what is in doubt in a run: the times in which a figure may be the doing of
// the load generator or of its machine, and not the server's.
//
// A [Register] has those of a run by their [Kind]. Whoever notices one books it within a second of
// its end; whoever measures asks how much of a time is in doubt. How many packets listeners lost by what the
// generator dropped is bounded by [Drops], which pairs losses with drops.
//
// Nothing here knows of listeners, sources or seconds of the run: a room is a number, and the people who
// are heard in it are [Voices]. A Register, its [Cores] and its [Stops] are safe for concurrent use; each lock is
// taken by itself. Drops are not: their owner locks them.
package doubt
