package store

import "errors"

// The errors that callers decide by. Returned errors wrap them.
var (
	// ErrUnavailable is the answer to every code that lets nobody in: spent,
	// expired, revoked and unknown ones alike.
	ErrUnavailable = errors.New("the invite is not available")
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("no such record")
	// ErrBudget: the account has no invites left to give.
	ErrBudget = errors.New("no invites left")
	// ErrKey: no account has this login key.
	ErrKey = errors.New("the login key is not valid")
	// ErrBusy: another process owns this store.
	ErrBusy = errors.New("another server uses this store")

	// ErrNewer: a newer program has written to the store, and this one would misread it
	// or drop something from it.
	ErrNewer = errors.New("written by a newer earshot: run that version")

	// errStalled: reading stopped at a record that cannot be read.
	errStalled = errors.New("a record cannot be read, and those after it")
	// errConflict: the record has changed since it was read.
	errConflict = errors.New("the record has changed")
)
