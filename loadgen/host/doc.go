// Package host measures the machine that a run is on and what processes take of
// it: CPU time, time spent waiting for a core, memory, open files, receive buffers
// and the packets that the machine's backlog dropped.
//
// It imports nothing of the project but sockets to try buffer sizes with. What a
// system does not report is reported as unknown (0 or false), never guessed.
// Everything is safe for concurrent use, and nothing starts a goroutine.
package host
