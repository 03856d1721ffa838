package livekit

import (
	"context"
	"fmt"
	"strings"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/livekit/signal"
)

// Over /rtc the server makes the offers of what a client receives: the first one when they
// have come in, and others as it subscribes them to voices, or has them restart ICE. Its
// candidates follow each.

// serverOffered handles an offer of the server's.
func (c *connection) serverOffered(o signal.Offered) {
	c.negotiating.Lock()
	defer c.negotiating.Unlock()
	if c.negotiation != nil {
		c.answerOffer(o)
		return
	}
	again := false
	c.change(func() {
		if again = c.first != nil; !again {
			c.first = &o
		}
	})
	if again {
		c.pending = &o // until the client has answered the first
	}
}

// firstOffer waits for the server's first offer, and adds its candidates to it.
func (c *connection) firstOffer(ctx context.Context) (*driver.CounterOffer, error) {
	if err := c.await(ctx, func() bool { return c.first != nil }); err != nil {
		return nil, fmt.Errorf("wait for the server's offer: %w", err)
	}
	soon, cancel := context.WithTimeout(ctx, lastCandidate)
	defer cancel()
	_ = c.await(soon, func() bool { return c.final }) // as in firstAnswer
	c.mu.Lock()
	offer := *c.first
	c.mu.Unlock()
	if len(sdp.CandidateLines(offer.SDP)) == 0 {
		offer.SDP += c.candidateLines()
	}
	return &driver.CounterOffer{
		SDP:    offer.SDP,
		Answer: func(_ context.Context, answer string) error { return c.write(signal.Answer(answer, offer.ID)) },
	}, nil
}

// answerOffer has the client answer an offer after the first. c.negotiating is held.
func (c *connection) answerOffer(o signal.Offered) {
	// An error is the client's, which reports it, or of the connection, which the reader notices.
	_ = c.negotiation.Answer(c.open, o.SDP, func(answer string) error { return c.write(signal.Answer(answer, o.ID)) })
}

// takeOver has the client go on: with what has come since its answer to the first offer.
// c.negotiating is held.
func (c *connection) takeOver() {
	if c.pending != nil {
		c.answerOffer(*c.pending)
		c.pending = nil
	}
	for line := range strings.Lines(c.candidateLines()) {
		c.trickled(strings.TrimPrefix(strings.TrimSpace(line), "a="))
	}
}

// trickled gives the client a candidate that has come after the first offer. c.negotiating is
// held.
func (c *connection) trickled(candidate string) {
	if c.negotiation != nil && c.negotiation.Candidate != nil && candidate != "" {
		c.negotiation.Candidate(candidate)
	}
}
