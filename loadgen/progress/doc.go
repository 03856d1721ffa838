// Package progress shows on a terminal how far a run has come while it goes on: a bar, or a line
// every few seconds where there is no terminal. It starts no goroutine: a run calls it.
package progress
