// Package scale says what a cluster needs for a number of listeners: how many nodes, what NATS carries,
// what a lost node costs, and what is full first. It is fitted to what was measured: a node's cost to
// docs/growth.csv, and what NATS carries to a simulation of the nodes' control traffic, docs/scale.csv.
// Its functions are pure.
package scale
