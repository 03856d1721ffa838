package livekit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/livekit/signal"
)

// A participant is one person: a listener who receives, or somebody on stage who sends.
type participant struct {
	driver.UnsupportedParticipant

	room     *roomClient
	identity string

	mu   sync.Mutex
	conn *connection // nil until there is an offer
	left bool
	end  sync.Once // closes done
	done chan struct{}
}

var _ driver.Negotiator = (*participant)(nil)

// Listen implements driver.Participant.
func (p *participant) Listen(ctx context.Context, offer string) (string, error) {
	return p.open(ctx, signal.Join{Offer: offer})
}

// Publish implements driver.Participant.
func (p *participant) Publish(ctx context.Context, offer string) (string, error) {
	track := trackOf(offer)
	if track == "" {
		return "", errors.New("the client's offer names no track (a=msid)")
	}
	return p.open(ctx, signal.Join{Offer: offer, Track: track})
}

// trackOf returns the track that an offer names first.
func trackOf(offer string) string {
	for line := range strings.Lines(offer) {
		if ids, ok := strings.CutPrefix(strings.TrimSpace(line), "a=msid:"); ok {
			if _, track, ok := strings.Cut(ids, " "); ok {
				return track
			}
		}
	}
	return ""
}

// open connects with the client's first offer, and returns the server's answer with the
// candidates that came by then.
func (p *participant) open(ctx context.Context, join signal.Join) (string, error) {
	p.mu.Lock()
	again := p.conn != nil || p.left
	p.mu.Unlock()
	if again {
		return "", fmt.Errorf("%w: to send and to listen in one session, or to come back", driver.ErrUnsupported)
	}
	token, err := p.room.driver.keys.token(p.identity, joining(p.room.name, join.Track != ""))
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	c, err := dial(ctx, p.room.driver, token, join.Query(), p.ended)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	p.conn = c
	left := p.left
	p.mu.Unlock()
	if left {
		return "", errors.Join(errClosed, c.close())
	}
	return c.firstAnswer(ctx)
}

// connection returns the signal connection, or nil if there is none.
func (p *participant) connection() *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn
}

// Negotiate implements driver.Negotiator.
func (p *participant) Negotiate(n driver.Negotiation) {
	if c := p.connection(); c != nil {
		c.negotiate(n)
	}
}

// Trickle implements driver.Participant. The server's full ICE agents learn a client's
// address from its checks; what the client has to say is not sent.
func (p *participant) Trickle(ctx context.Context, _ driver.Media, _ string) (string, error) {
	c := p.connection()
	if c == nil {
		return "", errNotConnected
	}
	if err := c.await(ctx, func() bool { return len(c.candidates) > 0 }); err != nil {
		return "", err
	}
	return c.candidateLines(), nil
}

var errNotConnected = errors.New("there is no signal connection")

// publishedTrack returns the server's name of the person's mic.
func (p *participant) publishedTrack(ctx context.Context) (string, error) {
	c := p.connection()
	if c == nil {
		return "", errNotConnected
	}
	if err := c.await(ctx, func() bool { return c.track != "" }); err != nil {
		return "", fmt.Errorf("wait until the server names the mic's track: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.track, nil
}

// goodbye is how long a server may take to end a session that was left.
const goodbye = 2 * time.Second

// Leave implements driver.Participant.
func (p *participant) Leave(ctx context.Context) error {
	p.mu.Lock()
	c, again := p.conn, p.left
	p.left = true
	p.mu.Unlock()
	if again {
		return nil
	}
	if c == nil {
		p.ended()
		return nil
	}
	var err error
	select {
	case <-c.done: // the server has ended it
	default:
		err = c.write(signal.Leave())
	}
	select {
	case <-c.done:
		err = nil // it may have ended before the goodbye was written
	case <-ctx.Done():
	case <-time.After(goodbye):
	}
	return errors.Join(err, c.close())
}

func (p *participant) ended() { p.end.Do(func() { close(p.done) }) }

// Done implements driver.Participant.
func (p *participant) Done() <-chan struct{} { return p.done }
