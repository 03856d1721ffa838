package loadgen

import (
	"context"
	"sync"
)

// What a sample is for.
const (
	ofSecond = iota
	atBegin  // of the steady state
	atEnd    // of it
)

// A sampling takes samples beside the coordinator's loop, which does not wait for a server
// that takes its time to say what it uses: the workers would hear nothing meanwhile, and end.
// It is for one goroutine.
type sampling struct {
	sampler *sampler
	taken   chan taken
	work    sync.WaitGroup
	second  bool // one of a second is on its way
}

// A taken sample, and what it is for.
type taken struct {
	by int
	sample
}

func newSampling(s *sampler) *sampling {
	return &sampling{sampler: s, taken: make(chan taken, 4)} // one of each at most, and two of the end
}

// take begins to take a sample, of which taken tells. One for a second is left out while the
// last is on its way; the others are taken once or twice in a run.
func (s *sampling) take(ctx context.Context, by int) {
	how := s.sampler.end
	if by == ofSecond {
		if s.second {
			return
		}
		s.second, how = true, s.sampler.sample
	}
	s.work.Go(func() { s.taken <- taken{by, how(ctx)} })
}

// wait returns those that are on their way, when they have come.
func (s *sampling) wait() (all []taken) {
	s.work.Wait()
	close(s.taken)
	for t := range s.taken {
		all = append(all, t)
	}
	return all
}
