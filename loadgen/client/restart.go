package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// restartPoll is how often a client looks whether its restart is complete.
const restartPoll = 5 * time.Millisecond

var (
	errNotConnected = errors.New("the client is not connected")
	errNoRestart    = errors.New("the server's answer has no other ICE credentials: it did not restart")
)

// RestartICE goes on in another ICE session (RFC 8445, section 9), and returns when the
// server has answered a check of it. exchange takes the client's fragment to the server and
// returns the server's. Until the server has answered, the client hears as before. The server
// has to stay at its address. It is called by one goroutine at a time.
func (e *LeanClient) RestartICE(ctx context.Context, exchange func(ctx context.Context, fragment string) (string, error)) error {
	e.mu.Lock()
	endpoint, former := e.endpoint, e.remote.ICE
	e.mu.Unlock()
	if endpoint == nil {
		return errNotConnected
	}
	receiver := e.receiver(e.nacks != nil)
	receiver.ICE = sdp.NewCredentials()
	text, err := exchange(ctx, sdp.LastFragment(receiver.Offer(e.sections)))
	if err != nil {
		return err
	}
	if text == "" {
		return errNoRestart
	}
	answer, err := sdp.ParseFragment(text)
	switch {
	case err != nil:
		return fmt.Errorf("take the server's fragment: %w", err)
	case answer.ICE == (sdp.Credentials{}) || answer.ICE == former:
		return errNoRestart
	}
	e.mu.Lock()
	e.local = receiver.ICE
	e.mu.Unlock()
	if err := endpoint.Restart(receiver.ICE, answer.ICE, time.Now()); err != nil {
		return err
	}
	for !endpoint.Settled() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer to a check of the new ICE session: %w", ctx.Err())
		case <-time.After(restartPoll):
		}
	}
	return nil
}
