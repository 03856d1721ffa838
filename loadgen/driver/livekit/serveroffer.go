package livekit

import (
	"context"
	"fmt"

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
		answerOffer(c, o)
		return
	}
	again := false
	c.state.Change(func() {
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
	if err := c.state.Await(ctx, func() bool { return c.first != nil }); err != nil {
		return nil, fmt.Errorf("wait for the server's offer: %w", err)
	}
	soon, cancel := context.WithTimeout(ctx, lastCandidate)
	defer cancel()
	_ = c.state.AwaitLastCandidate(soon) // as in firstAnswer
	c.state.Lock()
	offer := *c.first
	c.state.Unlock()
	if len(sdp.CandidateLines(offer.SDP)) == 0 {
		offer.SDP += c.state.CandidateLines()
	}
	return &driver.CounterOffer{
		SDP:    offer.SDP,
		Answer: func(_ context.Context, answer string) error { return c.conn.Write(signal.Answer(answer, offer.ID)) },
	}, nil
}

// answerOffer has the client answer an offer after the first. c.negotiating is held.
func answerOffer(c *connection, o signal.Offered) {
	// An error is the client's, which reports it, or of the connection, which the reader notices.
	_ = c.negotiation.Answer(c.open, o.SDP, func(answer string) error { return c.conn.Write(signal.Answer(answer, o.ID)) })
}

// goOn has the client take what has come since its answer to the first offer. c.negotiating is
// held.
func (c *connection) goOn() {
	if c.pending != nil {
		answerOffer(c, *c.pending)
		c.pending = nil
	}
	for _, candidate := range c.state.Candidates() {
		c.negotiation.Candidate(candidate)
	}
}
