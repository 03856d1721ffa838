// Package host tells what the machine has that a run is on, what its cores and its
// network interfaces did, what it dropped of all its processes' packets, and how much of
// it this process may use. What processes take of it is in loadgen/process.
//
// It imports nothing of the project but that, and sockets to try buffer sizes with.
// What a system does not report is reported as unknown (0 or false), never guessed.
// Everything is safe for concurrent use, and nothing starts a goroutine.
package host
