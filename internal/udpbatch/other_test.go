//go:build !linux

package udpbatch

import (
	"testing"
	"time"
)

// childEnv is for tests on Linux alone.
const childEnv = "EARSHOT_UDPBATCH_CHILD"

func child(string) int { return 1 }

// began stands in for the clock of a thread.
var began = time.Now()

func threadTime() time.Duration { return time.Since(began) }

func processTime() time.Duration { return time.Since(began) }

// refuseSegments has nothing to refuse: no other system takes them.
func refuseSegments(testing.TB, Conn) {}
