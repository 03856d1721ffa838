package metric

// A Cause is what the generator, or its machine, can have done to a figure. docs/metrics.md says how
// each is noticed.
type Cause string

const (
	Stalls      Cause = "stalls"       // its process did not run
	LateFrames  Cause = "late frames"  // it sent them late
	ClockSteps  Cause = "clock steps"  // the wall clock was set
	Drops       Cause = "drops"        // its sockets or its machine dropped packets
	Quotas      Cause = "quotas"       // its control group kept it from running
	TakenCores  Cause = "taken cores"  // others took them from the server, or used up a quota that it shares
	SharedCores Cause = "shared cores" // the server waited for one while the generator or others ran
	StolenCores Cause = "stolen cores" // a hypervisor took them
	WeakMarks   Cause = "weak marks"   // the mark in the audio may have been lost, and not the frame
	Alike       Cause = "frames alike" // a packet fits several frames
)

// A Doubt is what can put a metric's figure in doubt, and what that is booked by. The zero Doubt is
// nothing: the figure has one value whatever the generator does.
type Doubt struct {
	By     []Cause
	Booked string
}
