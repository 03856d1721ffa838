//go:build !linux

package udpbatch

import "time"

// childEnv is for tests on Linux alone.
const childEnv = "EARSHOT_UDPBATCH_CHILD"

func child(string) int { return 1 }

// began stands in for the clock of a thread.
var began = time.Now()

func threadTime() time.Duration { return time.Since(began) }
