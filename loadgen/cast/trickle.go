package cast

import (
	"context"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
)

// candidatePollInterval is how long a client waits before it asks a server again for
// its candidates.
const candidatePollInterval = 200 * time.Millisecond

// trickleCandidates gets the candidates of a server whose answer has none: it sends
// the server the client's own until the server returns some, and passes them to add as
// attributes without "a=".
func (p *person) trickleCandidates(ctx context.Context, to driver.Participant, of driver.Media, local, answer string, add func(attribute string) error) error {
	if len(sdp.CandidateLines(answer)) > 0 {
		return nil
	}
	if !p.room.cast.Driver.Capabilities().Trickle {
		return client.ErrNoCandidate
	}
	fragment := sdp.LastFragment(local)
	for {
		received, err := to.Trickle(ctx, of, fragment)
		if err != nil {
			return fmt.Errorf("%w, and it does not send them later: %w", client.ErrNoCandidate, err)
		}
		if received != "" {
			if received, err = p.room.cast.clients.names.canonical(ctx, received); err != nil {
				return err
			}
		}
		lines := sdp.CandidateLines(received)
		for _, line := range lines {
			if err := add(line); err != nil {
				return fmt.Errorf("take the server's candidate %q: %w", line, err)
			}
		}
		switch {
		case len(lines) > 0:
			return nil
		case !pause(ctx, candidatePollInterval):
			return fmt.Errorf("%w, and sent none later: %w", client.ErrNoCandidate, ctx.Err())
		}
	}
}
