package kv

import (
	"errors"

	"github.com/earshot-audio/earshot/store/stateserver"
)

// The errors that callers decide by. Returned errors wrap them.
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("no such record")
	// ErrConflict: the record has changed since it was read.
	ErrConflict = errors.New("the record has changed")
	// ErrStalled: reading stopped at a record that cannot be read.
	ErrStalled = errors.New("a record cannot be read, and those after it")
	// ErrBusy: another process owns this store.
	ErrBusy = stateserver.ErrBusy
	// ErrFailed: the store takes no more writes until the process is restarted.
	ErrFailed = errors.New("the store has failed, and needs a restart when that is mended")
	// ErrLost: another server owns this store now.
	ErrLost = errors.New("another server has taken over the store")
	// ErrLapsed: the lease of an external store has run out, for its server does not
	// answer. If nobody else has taken it, it is renewed when the server is back.
	ErrLapsed = errors.New("the store's NATS server does not answer")
	// ErrNewer: a newer program has written to the store, and this one would misread it
	// or drop something from it.
	ErrNewer = errors.New("written by a newer earshot: run that version")
)
