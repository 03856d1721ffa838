package store

import (
	"errors"

	"github.com/earshot-audio/earshot/store/kv"
)

// The errors that callers decide by. Returned errors wrap them.
var (
	// ErrUnavailable is the answer to every code that lets nobody in: spent,
	// expired, revoked and unknown ones alike.
	ErrUnavailable = errors.New("the invite is not available")
	// ErrNotFound: there is no such record.
	ErrNotFound = kv.ErrNotFound
	// ErrBudget: the account has no invites left to give.
	ErrBudget = errors.New("no invites left")
	// ErrKey: no account has this login key.
	ErrKey = errors.New("the login key is not valid")
	// ErrBusy: another process owns this store.
	ErrBusy = kv.ErrBusy

	// ErrFailed: the store takes no more writes until the process is restarted.
	ErrFailed = kv.ErrFailed
	// ErrLost: another server owns this store now.
	ErrLost = kv.ErrLost
	// ErrLapsed: the lease of an external store has run out, for its server does not
	// answer. If nobody else has taken it, it is renewed when the server is back.
	ErrLapsed = kv.ErrLapsed
	// ErrImport: the cluster is to begin with what a single server has kept, and that is not all there yet.
	ErrImport = errors.New("the cluster is to begin with what a single server has kept: start this node when the one with --import serves; if that one has failed, start it again first")
	// ErrNewer: a newer program has written to the store, and this one would misread it
	// or drop something from it.
	ErrNewer = kv.ErrNewer
)
