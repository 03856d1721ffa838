package store

import (
	"context"
	"fmt"
)

// health is whether the server of a store works. An embedded server that has
// reported an error does not, until the process is restarted: after a failed write
// JetStream takes no more, and does not answer. It is safe for concurrent use.
type health struct {
	// failed ends with the first error, its cause.
	failed context.Context
	end    context.CancelCauseFunc
}

func newHealth() *health {
	h := &health{}
	h.failed, h.end = context.WithCancelCause(context.Background())
	return h
}

// fail takes the first error.
func (h *health) fail(err error) {
	h.end(fmt.Errorf("%w: %w", ErrFailed, err))
}

// check returns what the server has reported, if anything.
func (h *health) check() error { return context.Cause(h.failed) }

// operation returns a context for one operation, which ends after [operationTimeout], and
// as soon as the store fails.
func (h *health) operation(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, expire := context.WithTimeout(ctx, operationTimeout)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(h.failed, func() { cancel(h.check()) })
	return ctx, func() {
		stop()
		cancel(nil)
		expire()
	}
}

// explain returns the error of an operation, and the store's own where that is
// why it failed.
func (h *health) explain(err error) error {
	if ill := h.check(); err != nil && ill != nil {
		return ill
	}
	return err
}
