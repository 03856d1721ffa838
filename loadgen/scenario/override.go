package scenario

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// clone is a copy that shares nothing that a With method changes.
func (s *Scenario) clone() *Scenario {
	c := *s
	c.Cast = slices.Clone(s.Cast)
	c.Thresholds = slices.Clone(s.Thresholds)
	c.Warnings = slices.Clone(s.Warnings)
	return &c
}

// validated is s, or what is wrong with it.
func (s *Scenario) validated() (*Scenario, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// WithListeners returns a copy with n listeners in each room. Several groups of
// them keep their proportions as nearly as whole people allow, and each keeps
// one. A room that had a seat for everybody still has; one that had not keeps
// its seats. It returns an error if there are fewer than one a group, no
// listeners to begin with, or if the timeline needs more.
func (s *Scenario) WithListeners(n int) (*Scenario, error) {
	c, err := s.withPeople(Listener, n)
	if err != nil {
		return nil, err
	}
	if s.Room.Capacity >= s.Listeners() {
		c.Room.Capacity = max(c.Room.Capacity, n)
	}
	return c.validated()
}

// WithSpeakers returns a copy with n speakers in each room, as WithListeners does
// with listeners. Hosts stay as they are.
func (s *Scenario) WithSpeakers(n int) (*Scenario, error) {
	c, err := s.withPeople(Speaker, n)
	if err != nil {
		return nil, err
	}
	return c.validated()
}

// WithRooms returns a copy with n rooms.
func (s *Scenario) WithRooms(n int) (*Scenario, error) {
	c := s.clone()
	c.Rooms = n
	return c.validated()
}

// WithArrivalRate returns a copy whose listeners come at a mean rate of so many a
// second, over all groups and rooms, each group over the same time and in its
// own shape. It returns an error if they come all at once, or if the rate is not
// above 0.
func (s *Scenario) WithArrivalRate(rate float64) (*Scenario, error) {
	if !(rate > 0) {
		return nil, fmt.Errorf("%v is no rate of arrivals: it is above 0", rate)
	}
	within := float64(s.Listeners()*s.Rooms) / rate
	if within > maxDuration.Duration().Seconds() {
		return nil, fmt.Errorf("at %v a second the arrivals take longer than %s", rate, maxDuration)
	}
	c := s.clone()
	groups := 0
	for i := range c.Cast {
		g := &c.Cast[i]
		if g.Role != Listener {
			continue
		}
		groups++
		if g.Arrive.Shape == Burst {
			return nil, fmt.Errorf("group %d of the cast comes in a burst, all at once, and has no rate", i+1)
		}
		if g.Arrive.Shape == "" {
			g.Arrive.Shape = Linear
		}
		g.Arrive.Within = Duration(within * float64(time.Second))
	}
	if groups == 0 {
		return nil, errors.New("the scenario casts no listeners, who could arrive")
	}
	return c.validated()
}

// withPeople returns a copy with n people of a role in each room, who keep the
// proportions of their groups.
func (s *Scenario) withPeople(role Role, n int) (*Scenario, error) {
	c := s.clone()
	groups := 0
	for _, g := range s.Cast {
		if g.Role == role {
			groups++
		}
	}
	switch {
	case groups == 0:
		return nil, fmt.Errorf("the scenario casts no %ss, whose number could be changed", role)
	case n < groups:
		return nil, fmt.Errorf("%d is too few: each group of %ss keeps one, and the cast has %d", n, role, groups)
	case n > maxCount:
		return nil, fmt.Errorf("%d is too many: the largest number is %d", n, maxCount)
	}
	// Each group takes its share of what is left, so that the rounding is made
	// up for by the next and the last gets the rest.
	left, of := n, s.people(role)
	for i := range c.Cast {
		if g := &c.Cast[i]; g.Role == role {
			groups--
			share := (left*g.Count + of/2) / of
			of -= g.Count
			g.Count = min(max(share, 1), left-groups)
			left -= g.Count
		}
	}
	return c, nil
}

// WithHold returns a copy whose steady state lasts for d. It returns an error
// if d is not above 0 or ends before the last entry of the timeline.
func (s *Scenario) WithHold(d time.Duration) (*Scenario, error) {
	c := s.clone()
	c.Hold = Duration(d)
	return c.validated()
}

// WithThresholds returns a copy with these thresholds in place of its own, each
// as [Scenario.AddThresholdText] takes it.
func (s *Scenario) WithThresholds(texts []string) (*Scenario, error) {
	c := s.clone()
	c.Thresholds = nil
	for _, text := range texts {
		var err error
		if c, err = c.AddThresholdText(text); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// WithSeed returns a copy with another seed.
func (s *Scenario) WithSeed(seed int64) *Scenario {
	c := s.clone()
	c.Seed = seed
	return c
}

// AddThreshold returns a copy with one more threshold. It returns an error if
// [metric.ParseThreshold] does, or if the threshold selects what the scenario
// does not have.
func (s *Scenario) AddThreshold(name, expression string) (*Scenario, error) {
	t, err := metric.ParseThreshold(name, expression)
	if err != nil {
		return nil, err
	}
	return s.withThreshold(t)
}

// AddThresholdText is [Scenario.AddThreshold] for a threshold as a command line
// gives it: "latency: p(99) < 20ms", or in the long form of the files,
// "latency: {threshold: p(99) < 20ms, abort_on_fail: true, delay: 10s}".
func (s *Scenario) AddThresholdText(text string) (*Scenario, error) {
	t, err := parseFlag(text)
	if err != nil {
		return nil, err
	}
	return s.withThreshold(t)
}

func (s *Scenario) withThreshold(t metric.Threshold) (*Scenario, error) {
	var c checker
	s.checkThreshold(&c, t.Metric, t)
	if len(c) > 0 {
		return nil, fmt.Errorf("%s: %s", c[0].path, c[0].message)
	}
	more := s.clone()
	more.Thresholds = append(more.Thresholds, t)
	return more, nil
}
