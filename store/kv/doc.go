// Package kv keeps records by key: in a bucket of NATS JetStream, embedded or external, or
// in memory. It says who may write, and what a write that failed has come to.
//
// A write names the last revision of its record, and is refused if there is another. It
// returns when the record will outlive the process. To a bucket with a fence one process writes
// at a time, the holder of a [Lease]: what an earlier holder writes late is refused. To a
// shared bucket the servers of a cluster write, which hold the lease together. [Health] is
// whether the server below works at all; it does not again, once it has failed.
//
// The package knows nothing of what records hold.
package kv
