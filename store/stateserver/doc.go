// Package stateserver has the NATS servers that keep a store: one embedded in the process of a single server, the
// peers of a cluster, which keep it together, and one that stands alone, for the servers of a test. It knows what NATS
// is, and not what is kept.
package stateserver
