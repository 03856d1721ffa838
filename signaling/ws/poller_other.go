//go:build !linux

package ws

import (
	"errors"
	"syscall"
)

// poller does not exist on this system: a connection that waits has a goroutine.
type poller struct{}

type polled struct{}

func newPoller() (*poller, error) { return nil, errors.ErrUnsupported }

func (p *poller) add(syscall.Conn, func()) (*polled, error) { return nil, errors.ErrUnsupported }

func (p *poller) close() {}

func (c *polled) arm() error { return errors.ErrUnsupported }

func (c *polled) forget() {}
