package client

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/ledger"
)

// A Subscriber is a listener's client: a [LeanClient] of the crowd or a [Probe]. It is
// used once: Offer or Answer, Accept, Wait, Close.
type Subscriber interface {
	Offer(ctx context.Context) (string, error)
	// Answer answers an offer of the server, instead of making its own.
	Answer(ctx context.Context, offer string) (string, error)
	// Accept sets the server's answer and connects in the background.
	Accept(answer string) error
	// OfferAgain makes another offer, once the answer to the one before is set, of so many
	// sections more.
	OfferAgain(ctx context.Context, more int) (string, error)
	// AcceptAgain sets the answer to it.
	AcceptAgain(answer string) error
	// AddCandidate adds a candidate that the answer did not have, as an attribute
	// without "a=".
	AddCandidate(attribute string) error
	// Wait waits until the DTLS handshake is complete. With an error it returns how far
	// the client got.
	Wait(ctx context.Context) (Connected, error)
	// Losses returns how many packets the client's own socket dropped (0 for a shared
	// one), and for how many packets the receive time was lost.
	Losses() (dropped, unstamped uint64)
	// SetGate has received packets go to a gate; nil: to the account, as at first. It may be called at
	// any time.
	SetGate(g Gate)
	Close() error
}

// A Gate is given a client's packets, and what they would go to without it.
type Gate func(p ledger.Packet, deliver PacketFunc)

// Deaf is a gate that lets nothing pass.
func Deaf(ledger.Packet, PacketFunc) {}

// A gated is the gate of a client. It is safe for concurrent use.
type gated struct{ gate atomic.Pointer[Gate] }

// SetGate implements Subscriber.
func (g *gated) SetGate(gate Gate) {
	if gate == nil {
		g.gate.Store(nil)
		return
	}
	g.gate.Store(&gate)
}

// pass has a packet go where it is to go.
func (g *gated) pass(p ledger.Packet, deliver PacketFunc) {
	if gate := g.gate.Load(); gate != nil {
		(*gate)(p, deliver)
		return
	}
	deliver(p)
}

// Connected is when ICE and DTLS were complete, on the run's clock. A zero time is that
// of a step that is not.
type Connected struct{ ICE, DTLS time.Duration }

// A PacketFunc receives a client's packets. All packets of one section come from one
// goroutine.
type PacketFunc func(p ledger.Packet)

// A QueueDelayFunc receives how long n packets waited in the process before they were
// handled. It is called from any goroutine.
type QueueDelayFunc func(d time.Duration, n uint64)
