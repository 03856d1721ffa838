package client

import (
	"context"
	"time"

	"github.com/earshot-audio/earshot/loadgen/measure"
)

// An ear is a listener's client, receive-only: a lean one of the crowd or a
// probe. It is used once: offer, accept, wait, Close.
type Subscriber interface {
	Offer(ctx context.Context) (string, error)
	// answer answers an offer of the server in place of its own.
	Answer(ctx context.Context, offer string) (string, error)
	// accept takes the answer; the connection is made in the background.
	Accept(answer string) error
	// candidate takes a candidate that the answer did not have, as an attribute.
	AddCandidate(attribute string) error
	// wait waits until the DTLS handshake is complete and returns when it was.
	Wait(ctx context.Context) (time.Duration, error)
	// losses is how many packets the client's own sockets dropped, as far as
	// they are its own, and how many packets' receive times were lost.
	Losses() (dropped, unstamped uint64)
	Close() error
}

// hearing takes the packets of an ear. A section's come from one goroutine.
type PacketFunc func(p measure.Packet)

// waiting takes how long n packets lay in the process before they were heard. It
// may be called from any goroutine.
type QueueDelayFunc func(d time.Duration, n uint64)
