package cli

import (
	"context"
	"io"
)

// CancelAtEOF cancels when a standard input ends: how a process that earshot has started notices
// that who started it has ended.
func CancelAtEOF(stdin io.Reader, cancel context.CancelFunc) {
	go func() { // ends with the process: a read of standard input can't be cancelled
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
}
