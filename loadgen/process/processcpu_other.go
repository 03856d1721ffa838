//go:build !linux

package process

import (
	"errors"
	"time"
)

// processCPU is unknown here.
func processCPU(int) (time.Duration, error) { return 0, errors.ErrUnsupported }
