// Package earshot drives an earshot server by its own signaling: rooms over HTTP, and
// one WebSocket for each person. It knows the server's wire messages and nothing else
// of it.
//
// A connection has at most one goroutine, which reads; closing the connection ends it
// and waits.
package earshot
