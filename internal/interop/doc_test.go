// Package interop_test plays earshot against the servers of others, as ci/peers builds them. It
// has no code of its own; make interop runs it.
package interop_test
