// Package club makes the transactions that change more than one thing at once: the
// store, the live rooms and the audit log. An invite to the stage, for one, is
// stored, reserves its place on stage, and is logged, or none of that. Each is one
// method here, for whatever API calls it.
//
// A principal's right to do something in a room is checked by the caller
// (package access). The package has no state of its own, and starts no goroutines.
package club
