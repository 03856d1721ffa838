// Package ledger keeps what each record of a data directory was when its writing was
// acknowledged. JetStream reads its files as far as they are intact, and goes on with that:
// what is read at a start is held against the ledger, so that damage is said.
//
// A line is synced before Note returns; those that come at the same time share one sync.
// The package knows nothing of what records hold.
package ledger
