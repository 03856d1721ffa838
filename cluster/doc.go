// Package cluster connects the servers that share a store: it knows which nodes there
// are, tells them of this one, and passes requests from one to the other. All of it goes
// over one connection to NATS, beside that of package store.
//
// A node renews its entry in a bucket whose entries expire. One that could not renew for
// four fifths of that time is cut off, by its own clock, before the others count it as
// gone: so what is another's once the entry has expired is not this node's any more.
//
// Three nodes or more do not wait for that: they hear one another five times a second. A node
// that a majority does not hear may not speak for its rooms after a second, by its own clock, and
// the majority knows when that is over (quorum.go).
package cluster
