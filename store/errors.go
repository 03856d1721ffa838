package store

import (
	"errors"

	"github.com/earshot-audio/earshot/store/stateserver"
)

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
	ErrBusy = stateserver.ErrBusy

	// ErrFailed: the store takes no more writes until the process is restarted.
	ErrFailed = errors.New("the store has failed, and needs a restart when that is mended")
	// ErrLost: another server owns this store now.
	ErrLost = errors.New("another server has taken over the store")
	// ErrLapsed: the lease of an external store has run out, for its server does not
	// answer. If nobody else has taken it, it is renewed when the server is back.
	ErrLapsed = errors.New("the store's NATS server does not answer")
	// ErrImport: the cluster is to begin with what a single server has kept, and that is not all there yet.
	ErrImport = errors.New("the cluster is to begin with what a single server has kept: start this node when the one with --import serves; if that one has failed, start it again first")
	// ErrNewer: a newer program has written to the store, and this one would misread it
	// or drop something from it.
	ErrNewer = errors.New("written by a newer earshot: run that version")

	// errStalled: reading stopped at a record that cannot be read.
	errStalled = errors.New("a record cannot be read, and those after it")
	// errConflict: the record has changed since it was read.
	errConflict = errors.New("the record has changed")
)
