// Package nodes spreads the rooms of a shared store over the servers of a cluster. A room
// is on one node at a time, which alone can write it. Any node takes any request: those
// for a room of another node are passed on to it, and WebSockets are sent there.
//
// One goroutine claims rooms that no node has any more, and lets go of those that another
// has claimed. It ends with [Nodes.Leave].
package nodes
