//go:build !linux

package loadgen

import "time"

// ownWait is not told here.
func ownWait() (wait time.Duration, ok bool) { return 0, false }
