package kv

import (
	"context"
	"fmt"
	"time"
)

// OperationTimeout is how long one read or write of the store may take.
const OperationTimeout = 10 * time.Second

// Health is whether the server of a store works. An embedded server that has
// reported an error does not, until the process is restarted: after a failed write
// JetStream takes no more, and does not answer. It is safe for concurrent use.
type Health struct {
	// failed ends with the first error, its cause.
	failed context.Context
	end    context.CancelCauseFunc
}

// NewHealth returns that of a server which works.
func NewHealth() *Health {
	h := &Health{}
	h.failed, h.end = context.WithCancelCause(context.Background())
	return h
}

// Fail takes the first error.
func (h *Health) Fail(err error) {
	h.end(fmt.Errorf("%w: %w", ErrFailed, err))
}

// Check returns what the server has reported, if anything.
func (h *Health) Check() error { return context.Cause(h.failed) }

// Operation returns a context for one operation, which ends after [OperationTimeout], and
// as soon as the store fails.
func (h *Health) Operation(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, expire := context.WithTimeout(ctx, OperationTimeout)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(h.failed, func() { cancel(h.Check()) })
	return ctx, func() {
		stop()
		cancel(nil)
		expire()
	}
}

// Explain returns the error of an operation, and the store's own where that is
// why it failed.
func (h *Health) Explain(err error) error {
	if ill := h.Check(); err != nil && ill != nil {
		return ill
	}
	return err
}
