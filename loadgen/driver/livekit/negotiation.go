package livekit

import (
	"context"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/livekit/signal"
)

// A server that has something new to send to a client with one peer connection wants an
// offer, since all offers are the client's, and answers it with the section's new state.

// negotiate has the further offers made, or answered: the client has taken the first answer, or
// given it.
func (c *connection) negotiate(n driver.Negotiation) {
	c.negotiating.Lock()
	defer c.negotiating.Unlock()
	c.negotiation = &n
	if c.receives {
		c.goOn()
		return
	}
	c.offer()
}

// maxSections is how many sections a server may ask for beside the first offer's.
const maxSections = 64

// want handles the server's wish for an offer.
func (c *connection) want(m signal.Wanted) {
	c.negotiating.Lock()
	defer c.negotiating.Unlock()
	if m.Audios == 0 && m.Videos > 0 || c.added+c.more+m.Audios > maxSections {
		return // for what the client does not take
	}
	c.wanted, c.more = true, c.more+m.Audios
	c.offer()
}

// offer makes an offer if one is wanted and may be made now. c.negotiating is held.
func (c *connection) offer() {
	if !c.wanted || c.negotiation == nil || c.offered || c.idle >= idleOffers {
		return
	}
	more := c.more
	c.wanted, c.more, c.added = false, 0, c.added+more
	// It waits for nothing: the candidates are gathered.
	offer, err := c.negotiation.Offer(context.Background(), more)
	if err != nil {
		return // of a client that is closed
	}
	c.offers++
	c.offered = c.conn.Write(signal.Offer(offer, c.offers)) == nil // otherwise the reader notices, too
}

// answered handles an answer of the server.
func (c *connection) answered(answer string) {
	c.negotiating.Lock()
	defer c.negotiating.Unlock()
	voices := sdp.Voices(answer)
	if c.idle++; voices != c.voices {
		c.idle = 0
	}
	c.voices = voices
	if c.negotiation == nil { // the first, which open awaits
		c.state.Change(func() { c.answer = answer })
		return
	}
	c.offered = false
	c.negotiation.Accept(answer)
	c.offer()
}
