package loadgen

import (
	"context"
	"fmt"
	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// askingCandidates is how long a client waits before it asks a server for its
// candidates again.
const candidatePollInterval = 200 * time.Millisecond

// lateCandidates waits for the candidates of a server whose answer has none, by
// sending it the client's own until it has some, and hands them to add as
// attributes, without "a=".
func trickleCandidates(ctx context.Context, v driver.Participant, of driver.Media, local, answer string, add func(attribute string) error) error {
	if len(sdp.CandidateLines(answer)) > 0 {
		return nil
	}
	t, ok := v.(driver.Trickler)
	if !ok {
		return client.ErrNoCandidate
	}
	fragment := sdp.LastFragment(local)
	for {
		said, err := t.Trickle(ctx, of, fragment)
		if err != nil {
			return fmt.Errorf("%w, and it does not tell them later: %w", client.ErrNoCandidate, err)
		}
		lines := sdp.CandidateLines(said)
		for _, line := range lines {
			if err := add(line); err != nil {
				return fmt.Errorf("take the server's candidate %q: %w", line, err)
			}
		}
		switch {
		case len(lines) > 0:
			return nil
		case !pause(ctx, candidatePollInterval):
			return fmt.Errorf("%w, and told none later: %w", client.ErrNoCandidate, ctx.Err())
		}
	}
}
