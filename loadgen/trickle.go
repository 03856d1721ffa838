package loadgen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// A Media is which of a visit's sessions is meant.
type Media string

const (
	Ear Media = "ear"
	Mic Media = "mic"
)

// A Trickler is a Visit whose server may tell its candidates after its answer.
type Trickler interface {
	// Trickle sends a fragment of SDP with the client's candidates (RFC 8840
	// §4.4) and returns the server's, which may be empty.
	Trickle(ctx context.Context, of Media, fragment string) (string, error)
}

// askingCandidates is how long a client waits before it asks a server for its
// candidates again.
const askingCandidates = 200 * time.Millisecond

var errNoCandidate = errors.New("the server's answer has no UDP candidate with an IP address")

// lateCandidates waits for the candidates of a server whose answer has none, by
// sending it the client's own until it has some, and hands them to add as
// attributes, without "a=".
func lateCandidates(ctx context.Context, v Visit, of Media, local, answer string, add func(attribute string) error) error {
	if len(sdp.CandidateLines(answer)) > 0 {
		return nil
	}
	t, ok := v.(Trickler)
	if !ok {
		return errNoCandidate
	}
	fragment := sdp.LastFragment(local)
	for {
		said, err := t.Trickle(ctx, of, fragment)
		if err != nil {
			return fmt.Errorf("%w, and it does not tell them later: %w", errNoCandidate, err)
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
		case !pause(ctx, askingCandidates):
			return fmt.Errorf("%w, and told none later: %w", errNoCandidate, ctx.Err())
		}
	}
}
