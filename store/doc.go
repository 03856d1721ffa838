// Package store keeps what must outlive the process: rooms and who is on their
// stages, invites, accounts and their logins, and the audit trail. It stands on
// NATS JetStream key-value: a server embedded in the process, which opens no
// port and syncs every write to its files before it answers, or an external one.
//
// Every record is held in memory as well, so that reading one is a look into a
// map: no join, no refused code and no check of a token waits for a disk. A
// write returns when it is on the disk, and the memory is changed after that and
// never before.
//
// One process at a time owns a store: it holds the lock of the directory, or the lease of
// the external server, and then each write is refused that comes after another owner's
// first. Writes are compare-and-set on the record's revision besides, so that a one-use
// invite stays one whatever goes on at once.
package store
