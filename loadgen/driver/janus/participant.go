package janus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/loadgen/driver"
)

// A participant is one person: a listener who receives, or somebody on stage who sends.
type participant struct {
	driver.UnsupportedParticipant

	room *roomClient
	name string

	mu   sync.Mutex
	conn *connection // nil until there is an offer
	id   id          // the room's name of the person; empty until they are in
	// offer is the latest that the server has answered.
	offer string
	left  bool
	end   sync.Once // closes done
	done  chan struct{}
}

// Listen implements driver.Participant: who listens has joined muted.
func (p *participant) Listen(ctx context.Context, offer string) (string, error) {
	return p.join(ctx, offer, true)
}

// Publish implements driver.Participant.
func (p *participant) Publish(ctx context.Context, offer string) (string, error) {
	return p.join(ctx, offer, false)
}

// join joins the room with the client's offer, and returns the server's answer.
func (p *participant) join(ctx context.Context, offer string, muted bool) (string, error) {
	c, err := p.connect(ctx)
	if err != nil {
		return "", err
	}
	offer = c.withCandidate(offer)
	m, err := c.exchange(ctx, &body{Request: join, Room: p.room.id, PIN: p.room.pin, Display: p.name, Muted: muted}, offer)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	p.id, p.offer = bytes.Clone(m.PluginData.Data.ID), offer
	p.mu.Unlock()
	return m.JSEP.SDP, nil
}

// exchange makes a request to the AudioBridge with an offer, and returns the one with the answer.
func (c *connection) exchange(ctx context.Context, b *body, offer string) (message, error) {
	m, err := c.ask(ctx, b, &description{Type: "offer", SDP: offer})
	if err == nil && m.JSEP.Type != "answer" {
		err = errors.New("the AudioBridge took the offer, and gave no answer to it")
	}
	return m, err
}

// RestartICE implements driver.Participant: the server wants the whole offer anew.
func (p *participant) RestartICE(ctx context.Context, _ driver.Media, fragment string) (string, error) {
	f, err := sdp.ParseFragment(fragment)
	if err != nil {
		return "", fmt.Errorf("the client's fragment: %w", err)
	}
	c, err := p.connection()
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	offer := restarted(p.offer, f.ICE)
	p.mu.Unlock()
	m, err := c.exchange(ctx, &body{Request: configure}, offer)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	p.offer = offer
	p.mu.Unlock()
	return sdp.LastFragment(m.JSEP.SDP), nil
}

// restarted is an offer with other ICE credentials, and with the next version in its o= line.
func restarted(offer string, ice sdp.Credentials) string {
	var b strings.Builder
	for line := range strings.Lines(offer) {
		switch origin := strings.Fields(line); {
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			line = "a=ice-ufrag:" + ice.Ufrag + "\r\n"
		case strings.HasPrefix(line, "a=ice-pwd:"):
			line = "a=ice-pwd:" + ice.Pwd + "\r\n"
		case strings.HasPrefix(line, "o=") && len(origin) == 6:
			version, _ := strconv.ParseUint(origin[2], 10, 64) // what is no number begins anew
			origin[2] = strconv.FormatUint(version+1, 10)
			line = strings.Join(origin, " ") + "\r\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// withCandidate returns an offer that has a candidate. The crowd's clients offer none, since a full ICE
// agent learns their address from their checks; but libnice, which is Janus', does not begin its own
// checks before it has one, and selects nothing. It gets one of this machine where nobody answers
// (the port of RFC 863), and learns the real one.
func (c *connection) withCandidate(offer string) string {
	if len(sdp.CandidateLines(offer)) > 0 {
		return offer
	}
	host, _, err := net.SplitHostPort(c.conn.LocalAddr().String())
	if err != nil {
		return offer // it is no address of the Internet's
	}
	return offer + fmt.Sprintf("a=candidate:1 1 udp 1 %s 9 typ host\r\n", host)
}

// connect opens the person's connection.
func (p *participant) connect(ctx context.Context) (*connection, error) {
	p.mu.Lock()
	again := p.conn != nil || p.left
	p.mu.Unlock()
	if again {
		return nil, fmt.Errorf("%w: to send and to listen in one session, or to come back", driver.ErrUnsupported)
	}
	c, err := open(ctx, p.room.driver, p.ended)
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

// connection returns the person's connection.
func (p *participant) connection() (*connection, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return nil, errNotConnected
	}
	return p.conn, nil
}

// member is what the room calls the person.
func (p *participant) member() (id, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.id) == 0 {
		return nil, errNotConnected
	}
	return p.id, nil
}

var errNotConnected = errors.New("they are not in the room")

// Trickle implements driver.Participant. The server, a full ICE agent, learns a client's address from
// its checks; what the client has to say is not sent. Only one with full_trickle sends candidates
// after its answer.
func (p *participant) Trickle(ctx context.Context, _ driver.Media, _ string) (string, error) {
	c, err := p.connection()
	if err != nil {
		return "", err
	}
	return c.state.Trickle(ctx)
}

// Leave implements driver.Participant.
func (p *participant) Leave(ctx context.Context) error {
	p.mu.Lock()
	c, again := p.conn, p.left
	p.left = true
	p.mu.Unlock()
	switch {
	case again:
		return nil
	case c == nil:
		p.ended()
		return nil
	}
	return c.leave(ctx)
}

func (p *participant) ended() { p.end.Do(func() { close(p.done) }) }

// Done implements driver.Participant.
func (p *participant) Done() <-chan struct{} { return p.done }
