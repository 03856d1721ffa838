//go:build !unix

package process

import "time"

// CPU is unknown here.
func CPU() time.Duration { return 0 }
