// Package driver is the contract between a run and the kind of server it plays
// against: how people get into a room and exchange SDP with the server. Each kind of
// server is a package below this one.
//
// A driver knows its server's signaling and nothing of media, and imports neither
// clients nor the server's own packages.
package driver
