// Package coordinator holds a run together that several workers play: [OpenStage] opens its
// rooms, and [Run] passes on what the workers tell one another, merges what they measured and
// builds the result, as a run in one process would have it. What it hears and says is in package
// link, and the way there is the caller's.
//
// When a worker is lost, or the coordinator itself does not keep up, the run ends early, and the
// result says which of the two it was. Run starts goroutines that take samples of the server, and waits for
// them.
package coordinator
