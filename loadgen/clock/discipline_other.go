//go:build !linux

package clock

import "time"

// discipline is not known: there is no portable way to ask.
func discipline() (within time.Duration, known bool) { return 0, false }
