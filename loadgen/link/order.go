package link

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// An Order is what one worker asks the owner of a room to do to somebody there.
type Order struct {
	Room   int           `json:"room"`
	Verb   scenario.Verb `json:"verb"`
	Member string        `json:"member"` // what the server calls them
}

// An Outcome is what came of an order.
type Outcome struct {
	// At is when the server had acknowledged it, on the run's clock, which the owner's may differ from by
	// Bound, and Slowed for how long at most the owner was in the way.
	At     time.Duration `json:"at"`
	Bound  time.Duration `json:"bound,omitempty"`
	Slowed time.Duration `json:"slowed,omitempty"`
	// Error is why it came to nothing. Refused means that the server said no, Unanswered that
	// it said nothing though the owner ran, and InDoubt that the owner may be to blame.
	Error      string `json:"error,omitempty"`
	Refused    bool   `json:"refused,omitempty"`
	Unanswered bool   `json:"unanswered,omitempty"`
	InDoubt    bool   `json:"in_doubt,omitempty"`
}
