//go:build !linux

package host

import "time"

// ownWait is not told here.
func RunQueueWait() (wait time.Duration, ok bool) { return 0, false }
