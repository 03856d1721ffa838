// Package protocol speaks the WebSocket protocol of docs/protocol.md: it decodes
// the messages of each connection (package ws), authenticates the client, and
// carries out its requests on live rooms.
//
// A connection's requests are carried out one after the other, in the order in
// which they came. The package starts no goroutines.
package protocol
