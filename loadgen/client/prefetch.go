package client

import "github.com/earshot-audio/earshot/internal/prefetch"

// The state of thousands of clients is many times what a processor's cache holds: a
// socket's reader asks for the memory of the next few packets' clients in steps,
// each of which finds its way in what the one before has asked for.

// prefetch prefetches the memory that a packet to the client needs. w may be nil.
func (w *clientPath) prefetch(step int) {
	if w == nil {
		return
	}
	if step == 0 {
		prefetch.Span(&w.endpoint, &w.impairment)
		return
	}
	if client := w.endpoint.Load(); client != nil && w.impairment == nil {
		client.Prefetch(step - 1)
		w.client.prefetch(step - 1)
	}
}

// prefetch prefetches the memory that the next packet needs, in steps like
// lite.Client.Prefetch.
func (e *LeanClient) prefetch(step int) {
	switch step {
	case 0:
		prefetch.Span(&e.crowd, &e.reports)
	case 1:
		prefetch.Span(&e.remote.SSRCs, &e.remote.NACK)
		e.reports.Prefetch()
		e.account.Prefetch(0)
	case 2:
		e.account.Prefetch(1)
	}
}
