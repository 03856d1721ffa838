//go:build !linux

package host

import "time"

// RunQueueWait is unknown here.
func RunQueueWait() (wait time.Duration, ok bool) { return 0, false }

func runQueueWaits(int) map[int]time.Duration { return nil }
