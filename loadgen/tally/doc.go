// Package tally counts what one generator process knows of a run beside what its listeners
// received: how late it was, what it dropped, what became of its mics, how the server
// carried out what the hosts asked for, and where packets were lost.
//
// Each thing is entered while the run is played, and is summed up as the worst and the best
// that it can have been: [StallCounter] says by how much the generator was in the way. A
// [Tally] is a process's sum, with a [Final] at the end. Workers send theirs to the
// coordinator, and [Total] adds them up, of one process or of many.
//
// [Health], [Moderation] and [Uplinks] are safe for concurrent use; they belong to one run,
// and start no goroutines. What they return is the caller's.
package tally
