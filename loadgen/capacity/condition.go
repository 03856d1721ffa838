package capacity

import (
	"slices"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// impliedJoined is the condition on joined, or where nobody is cast to listen on published,
// that a search has besides its own: a server that lets few in may serve those few well.
const impliedJoined = "rate >= 0.99"

// WithJoined returns the scenario with the implied condition, unless it has a threshold on the
// same metric itself.
func WithJoined(s *scenario.Scenario) (*scenario.Scenario, error) {
	in := "joined"
	if s.Listeners() == 0 {
		in = "published"
	}
	if slices.ContainsFunc(s.Thresholds, func(t metric.Threshold) bool { return t.Metric == in }) {
		return s, nil
	}
	return s.AddThreshold(in, impliedJoined)
}
