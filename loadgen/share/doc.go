// Package share splits a run's people between the workers that play it together: who plays
// whom, who owns which room, who is a probe, and whom an act of the timeline is for. All of it is a
// pure function of the scenario and its seed, so that all workers agree without asking, and so that a run
// does the same whatever number of workers plays it.
package share
