// Package server is earshot serve: it checks the flags, opens what the server keeps, and runs a
// [signaling.Server] until it is told to stop. With --cluster the server is one node of several.
package server
