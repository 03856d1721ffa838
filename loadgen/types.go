package loadgen

import "github.com/earshot-audio/earshot/loadgen/scoreboard"

// What a run is asked for, and what it tells, is also what several workers' coordinator is asked
// for and tells. So it has its home in package scoreboard, and these are its names for those who call Run.
type (
	// Config configures a run.
	Config = scoreboard.Config
	// TURN is the TURN server of those who go by one.
	TURN = scoreboard.TURN
	// A Result is what a run measured.
	Result = scoreboard.Result
	// Server describes the machine of the server under test.
	Server = scoreboard.Server
	// A Worker is one of the processes that played a run together.
	Worker = scoreboard.Worker
	// A ClockCheck is what two workers hear of one another's speakers.
	ClockCheck = scoreboard.ClockCheck
	// An Abort is a threshold with abort_on_fail that was crossed and ended the run.
	Abort = scoreboard.Abort
	// Progress is the state of a run.
	Progress = scoreboard.Progress
	// A Snapshot is the state of a run with its figures so far.
	Snapshot = scoreboard.Snapshot
	// A Span holds the times at which the arrivals, the hold and the steady state began and
	// the steady state ended.
	Span = scoreboard.Span
)
