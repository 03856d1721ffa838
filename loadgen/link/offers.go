package link

import (
	"encoding/json"
	"fmt"
	"time"
)

// A Meeting is when a worker could begin a phase, and whether it agrees to it.
type Meeting struct {
	At     time.Duration `json:"at"`
	Agreed bool          `json:"agreed,omitempty"`
}

// Latest returns the latest meeting that workers offer; it is agreed to if all agree.
func Latest(offers [][]byte) (met Meeting, err error) {
	met.Agreed = true
	for _, text := range offers {
		var m Meeting
		if len(text) == 0 {
			continue // of a worker that was lost
		}
		if err := json.Unmarshal(text, &m); err != nil {
			return met, fmt.Errorf("read when a worker can begin: %w", err)
		}
		met.At, met.Agreed = max(met.At, m.At), met.Agreed && m.Agreed
	}
	return met, nil
}

// Merged returns the lists that workers offer as one.
func Merged[T any](offers [][]byte) (all []T, err error) {
	for _, text := range offers {
		var some []T
		if len(text) == 0 {
			continue
		}
		if err := json.Unmarshal(text, &some); err != nil {
			return nil, fmt.Errorf("read a worker's offer: %w", err)
		}
		all = append(all, some...)
	}
	return all, nil
}
