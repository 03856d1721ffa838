//go:build !linux

package process

import "time"

// RunQueueWait is unknown here.
func RunQueueWait() (wait time.Duration, ok bool) { return 0, false }

// RunQueueWaitsOf is unknown here.
func RunQueueWaitsOf(int) map[int]time.Duration { return nil }
