package capacity

import (
	"fmt"
	"slices"

	"github.com/earshot-audio/earshot/internal/spelling"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A Quantity is what a search varies.
type Quantity string

const (
	Listeners   Quantity = "listeners"    // in each room
	Speakers    Quantity = "speakers"     // in each room
	Rooms       Quantity = "rooms"        // each with the whole cast
	ArrivalRate Quantity = "arrival-rate" // listeners a second, over all rooms
)

// Quantities lists them.
func Quantities() []Quantity { return []Quantity{Listeners, Speakers, Rooms, ArrivalRate} }

// ParseQuantity reads a quantity's name.
func ParseQuantity(name string) (Quantity, error) {
	if q := Quantity(name); slices.Contains(Quantities(), q) {
		return q, nil
	}
	var names []string
	for _, q := range Quantities() {
		names = append(names, string(q))
	}
	return "", fmt.Errorf("%q can't be varied: %s", name, spelling.Hint(name, names))
}

// Of is the scenario with so much of the quantity. It returns an error if the
// scenario can't have it.
func (q Quantity) Of(s *scenario.Scenario, n int) (*scenario.Scenario, error) {
	switch q {
	case Listeners:
		return s.WithListeners(n)
	case Speakers:
		return s.WithSpeakers(n)
	case Rooms:
		return s.WithRooms(n)
	case ArrivalRate:
		return s.WithArrivalRate(float64(n))
	}
	return nil, fmt.Errorf("%q can't be varied", q)
}

// Unit is what is counted.
func (q Quantity) Unit() string {
	if q == ArrivalRate {
		return "arrivals a second"
	}
	return string(q)
}
