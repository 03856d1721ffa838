package usage

import (
	"context"
	"sync"
)

// What a sample is for.
const (
	OfSecond = iota
	AtBegin  // of the steady state
	AtEnd    // of it
)

// A Sampling takes samples beside the coordinator's loop, which does not wait for a server
// that takes its time to say what it uses: the workers would hear nothing meanwhile, and end.
// It is for one goroutine.
type Sampling struct {
	sampler *Sampler
	Taken   chan Taken
	work    sync.WaitGroup
	second  bool // one of a second is on its way
}

// A Taken sample, and what it is for.
type Taken struct {
	By int
	Sample
}

// NewSampling returns a sampling that has taken nothing yet.
func NewSampling(s *Sampler) *Sampling {
	return &Sampling{sampler: s, Taken: make(chan Taken, 4)} // one of each at most, and two of the end
}

// Take begins to take a sample, of which taken tells. One for a second is left out while the
// last is on its way; the others are taken once or twice in a run.
func (s *Sampling) Take(ctx context.Context, by int) {
	how := s.sampler.End
	if by == OfSecond {
		if s.second {
			return
		}
		s.second, how = true, s.sampler.Sample
	}
	s.work.Go(func() { s.Taken <- Taken{by, how(ctx)} })
}

// Entered says that the last sample of a second has been entered, so that another one may be taken.
func (s *Sampling) Entered() { s.second = false }

// Wait returns those that are on their way, when they have come.
func (s *Sampling) Wait() (all []Taken) {
	s.work.Wait()
	close(s.Taken)
	for t := range s.Taken {
		all = append(all, t)
	}
	return all
}
