//go:build !linux

package host

import (
	"errors"
	"time"
)

// processCPU is unknown here.
func processCPU(int) (time.Duration, error) { return 0, errors.ErrUnsupported }
