// Package club makes the transactions that change several things together: the
// store, the live rooms and the audit log. Each is one method, for whatever API calls
// it. An invite to the stage, for one, is stored, reserves its place on stage and is
// logged; if there is no place, it is revoked again. When a method returns nil, its
// entry in the audit log is safe.
//
// A principal's right to do something in a room is checked by the caller
// (package access). The package has no state of its own, and starts no goroutines.
package club
