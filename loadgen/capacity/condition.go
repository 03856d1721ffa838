package capacity

import (
	"slices"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// impliedJoined is the condition on joined that a search has besides its own: a server
// that lets few in may serve those few well.
const impliedJoined = "rate >= 0.99"

// WithJoined returns the scenario with the implied condition on joined, unless it has a
// threshold on joined itself.
func WithJoined(s *scenario.Scenario) (*scenario.Scenario, error) {
	if slices.ContainsFunc(s.Thresholds, func(t metric.Threshold) bool { return t.Metric == "joined" }) {
		return s, nil
	}
	return s.AddThreshold("joined", impliedJoined)
}
