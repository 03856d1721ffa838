// Package process tells what processes take of their machine: CPU time, memory, the
// time that their threads waited for a core, what their control groups keep from them,
// and when this one did not run at all. What the machine has is in loadgen/host.
//
// It imports nothing of the project. What a system does not report is reported as unknown
// (0, nil or false), never guessed. Everything is safe for concurrent use, and nothing but a
// [Watchdog] starts a goroutine, which its Close ends.
package process
