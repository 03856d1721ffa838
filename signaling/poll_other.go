//go:build !linux

package signaling

import (
	"errors"
	"syscall"
)

// poller tells when connections have something to read; here there is none, and a
// session that waits has a goroutine.
type poller struct{}

type polled struct{}

func newPoller() (*poller, error) { return nil, errors.ErrUnsupported }

func (p *poller) add(syscall.Conn, func()) (*polled, error) { return nil, errors.ErrUnsupported }

func (p *poller) close() {}

func (c *polled) arm() error { return errors.ErrUnsupported }

func (c *polled) forget() {}
