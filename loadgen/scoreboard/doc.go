// Package scoreboard has what is known of a run as a whole: what it is asked for ([Config]),
// what it tells while it goes on ([Progress], [Snapshot]), when a threshold ends it ([Abort]),
// and what it comes to ([Result]). A run in one process keeps a [Scoreboard] of its own. Of several
// processes the coordinator keeps it, in package coordinator.
//
// It plays nothing and starts no goroutine: who plays enters what happens, and calls it about
// once a second.
package scoreboard
