// Package record keeps what a run measured, by seconds and by kinds of listeners, and answers for
// it: totals, groups, the series over time, and the windows of thresholds.
//
// An [Aggregator] has the record of a run. What happens is entered into the [Bucket] of the second in which
// it was sent, there into the [BucketCell] of the listeners with the same [Labels], and what a listener comes to
// into their [Cell]. Each listener's own account is kept by whoever enters it (package ledger), and told at the
// end as an [Account]. Seconds that are settled are drained, once a second, so that the memory does not grow with
// the length of the run. Every figure has two ends: at worst, and at best if all that is in doubt was the
// generator's doing (package doubt).
//
// Several processes may measure one run: each exports its record as [Part]s, and a [Merger] enters these into
// one aggregator, to the bit as one process would have measured it.
//
// Entering is safe for concurrent use and takes no lock but where something is seldom: packets go into atomic
// counters. One goroutine at a time drains and finishes. The lock of the record may be held while one of a
// cell, of the rooms' audiences or of the register of doubts is taken, and never the other way round.
package record
