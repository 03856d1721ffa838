package fanout

import "github.com/earshot-audio/earshot/internal/prefetch"

// prefetchStride is how many subscriptions are prefetched together: a dozen
// objects take as long to come from memory as one (see internal/prefetch).
const prefetchStride = 16

// prefetch asks for the memory of the subscriptions that are sent to next, with
// packets in those sections, and of their sinks.
func (s *shard) prefetch(sections uint64, subs []*Subscription, sinks []Sink) {
	for _, sub := range subs {
		prefetch.Object(sub)
	}
	if s.prefetchSinks != nil {
		s.prefetchSinks(sections, sinks)
	}
}
