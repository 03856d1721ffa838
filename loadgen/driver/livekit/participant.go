package livekit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
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
	older    bool // the server has no /rtc/v1
	sends    bool // set before there is a connection

	mu       sync.Mutex
	conn     *connection // nil until there is an offer
	left     bool
	resuming bool      // so the end of conn is not that of the presence
	end      sync.Once // closes done
	done     chan struct{}
}

var _ driver.Negotiator = (*participant)(nil)

// Listen implements driver.Participant. Over /rtc the offer is the server's.
func (p *participant) Listen(ctx context.Context, offer string) (string, error) {
	if !p.older {
		return p.open(ctx, signal.Join{Offer: offer})
	}
	c, err := p.connect(ctx, signal.Parameters(), false)
	if err != nil {
		return "", err
	}
	counter, err := c.firstOffer(ctx)
	if err != nil {
		return "", err
	}
	return "", counter
}

// Publish implements driver.Participant.
func (p *participant) Publish(ctx context.Context, offer string) (string, error) {
	mic := micOf(offer)
	if mic.Track == "" {
		return "", errors.New("the client's offer names no track (a=msid)")
	}
	if !p.older {
		return p.open(ctx, signal.Join{Offer: offer, Sent: mic})
	}
	c, err := p.connect(ctx, signal.Parameters(), true)
	if err != nil {
		return "", err
	}
	if err := c.conn.Write(signal.AddTrack(mic), signal.Offer(offer, 0)); err != nil {
		return "", fmt.Errorf("offer to the server: %w", err)
	}
	return c.firstAnswer(ctx)
}

// micOf returns what a mic's offer says of what it sends, with the track that it names first.
func micOf(offer string) (m signal.SentTrack) {
	for line := range strings.Lines(offer) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		_, value, _ = strings.Cut(value, " ") // after the stream, or the payload type
		value = strings.TrimSpace(value)
		switch name {
		case "a=msid":
			m.Track = cmp.Or(m.Track, value)
		case "a=rtpmap":
			m.RED = m.RED || strings.EqualFold(value, "red/48000/2")
		case "a=fmtp":
			for parameter := range strings.SplitSeq(value, ";") {
				m.DTX = m.DTX || strings.TrimSpace(parameter) == "usedtx=1"
			}
		}
	}
	return m
}

// open connects with the client's first offer, and returns the server's answer with the
// candidates that came by then.
func (p *participant) open(ctx context.Context, join signal.Join) (string, error) {
	c, err := p.connect(ctx, url.Values{"join_request": {join.Query()}}, join.Sent.Track != "")
	if err != nil {
		return "", err
	}
	return c.firstAnswer(ctx)
}

// connect opens the first signal connection, of somebody who sends or receives.
func (p *participant) connect(ctx context.Context, query url.Values, sends bool) (*connection, error) {
	p.mu.Lock()
	again := p.conn != nil || p.left
	p.mu.Unlock()
	if again {
		return nil, fmt.Errorf("%w: to send and to listen in one session, or to come back", driver.ErrUnsupported)
	}
	p.sends = sends
	c, err := p.dial(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.conn = c
	left := p.left
	p.mu.Unlock()
	if left {
		return nil, errors.Join(driver.ErrLeft, c.close())
	}
	return c, nil
}

// dial opens a signal connection.
func (p *participant) dial(ctx context.Context, query url.Values, earlier *connection) (*connection, error) {
	token, err := p.room.driver.keys.token(p.identity, joining(p.room.name, p.sends))
	if err != nil {
		return nil, fmt.Errorf("make a token: %w", err)
	}
	how := dialling{path: onePath, query: query, token: token, earlier: earlier, ended: p.connectionEnded}
	if p.older {
		how.path, how.receives = twoPath, !p.sends
	}
	return dial(ctx, p.room.driver, how)
}

// connectionEnded ends the presence with its connection, unless another takes it up.
func (p *participant) connectionEnded() {
	p.mu.Lock()
	resuming := p.resuming
	p.mu.Unlock()
	if !resuming {
		p.ended()
	}
}

// Resume implements driver.Participant: it returns p itself. The media connection goes on; LiveKit's own SDKs also
// restart its ICE.
func (p *participant) Resume(ctx context.Context) (driver.Participant, error) {
	p.mu.Lock()
	earlier, gone := p.conn, p.left || p.resuming || p.conn == nil
	select {
	case <-p.done:
		gone = true
	default:
	}
	p.resuming = !gone
	p.mu.Unlock()
	if gone {
		return nil, errNotConnected
	}
	c, err := p.takeUp(ctx, earlier)
	p.mu.Lock()
	p.resuming = false
	if err == nil {
		p.conn = c
	}
	left := p.left
	p.mu.Unlock()
	switch {
	case err != nil:
		p.ended()
		return nil, err
	case left: // by the connection of before, which the server did not hear
		_ = c.conn.Write(signal.Leave())
		return nil, errors.Join(driver.ErrLeft, c.close())
	}
	select {
	case <-c.done: // while it was resuming
		p.ended()
	default:
	}
	return p, nil
}

// takeUp drops a connection without a goodbye, and takes its session up by another.
func (p *participant) takeUp(ctx context.Context, earlier *connection) (*connection, error) {
	if err := earlier.state.Await(ctx, func() bool { return earlier.session != "" }); err != nil {
		return nil, errors.Join(fmt.Errorf("wait until the server names the session: %w", err), earlier.close())
	}
	_ = earlier.close() // the server may have been first
	resumption := signal.Resumption{Session: earlier.session}
	query := url.Values{"join_request": {resumption.Query()}}
	if p.older {
		query = resumption.Parameters()
	}
	c, err := p.dial(ctx, query, earlier)
	if err != nil {
		return nil, err
	}
	if err := c.takenUp(ctx, earlier.session); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
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
	return c.state.Trickle(ctx)
}

var errNotConnected = errors.New("there is no signal connection")

// publishedTrack returns the server's name of the person's mic.
func (p *participant) publishedTrack(ctx context.Context) (string, error) {
	c := p.connection()
	if c == nil {
		return "", errNotConnected
	}
	if err := c.state.Await(ctx, func() bool { return c.track != "" }); err != nil {
		return "", fmt.Errorf("wait until the server names the mic's track: %w", err)
	}
	c.state.Lock()
	defer c.state.Unlock()
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
		err = c.conn.Write(signal.Leave())
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
