package share

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A Share is which of a run's people one process plays: worker Number of Of, counted from
// 0. The zero Share is all of them.
//
// The split is a pure function of the scenario: person i of the run is worker i mod Of's,
// and does at the same intended times what they would do in one process.
type Share struct{ Number, Of int }

// Has reports whether somebody is in the share: listeners are numbered over all rooms, and
// so are the people on stage.
func (s Share) Has(i int) bool { return s.Of <= 1 || i%s.Of == s.Number }

// Owner is the number of the worker that owns a room: it moderates it, and does what is done
// once there.
func (s Share) Owner(room int) int { return room % max(s.Of, 1) }

// Owns reports whether the share's worker owns a room.
func (s Share) Owns(room int) bool { return s.Owner(room) == s.Number }

// One listener in a hundred is a probe, and at least two are.
const (
	listenersPerProbe = 100
	minProbes         = 2
)

// IsProbe reports whether listener i of all is a probe. Each worker has one at least. They
// are spread over the order of the listeners, and within each stretch of it they are drawn:
// every hundredth listener would be in the same room, where there are 50 or 100 rooms.
func (s Share) IsProbe(i, all int) bool {
	n := max(s.Of, 1)
	worker, own := i%n, i/n // they are the worker's listener number own
	count := (all - worker + n - 1) / n
	probes := (max(minProbes, all/listenersPerProbe) + n - 1) / n
	stretch := max(1, count/probes)
	k := own / stretch
	return uint64(own%stretch) == rand.New(rand.NewPCG(uint64(k), uint64(worker))).Uint64N(uint64(stretch))
}

// Probes returns how many probes a scenario has.
func Probes(s *scenario.Scenario) int {
	all := s.Listeners() * s.Rooms
	return min(all, max(minProbes, all/listenersPerProbe))
}

// A Candidate is a person of a room who can do what the timeline asks for, by their place
// in it, with a rank that the seed gives them, and whether they still do something else.
type Candidate struct {
	Place int    `json:"p"`
	Rank  uint64 `json:"r"`
	Busy  bool   `json:"b,omitempty"`
}

// Choose returns those of the candidates whom an event is for: the first by their ranks, and of
// those who are busy as few as may be.
// Who is chosen of all is chosen of some of them, too, so that each process names its own.
func Choose(all []Candidate, count int) []Candidate {
	slices.SortFunc(all, func(a, b Candidate) int {
		if a.Busy != b.Busy {
			if a.Busy {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Place, b.Place))
	})
	return all[:min(count, len(all))]
}

// Rank is that of the person at a place of a room, for event number i of the timeline.
func Rank(s *scenario.Scenario, room, i, place int) uint64 {
	return rand.New(rand.NewPCG(uint64(s.Seed)^uint64(i)<<48, uint64(room)<<32|uint64(place))).Uint64()
}
