package room

import (
	"fmt"
	"time"
)

// Applaud shows that somebody on stage applauds, to whom the room's events go. The error is
// [ErrNotOnStage] for a listener. Nothing is kept of it.
func (r *Room) Applaud(id MemberID, now time.Time) ([]Event, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	e, err := r.find(id)
	if err != nil {
		return nil, err
	}
	if !e.Role.OnStage() {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrNotOnStage)
	}
	return []Event{r.event(Applauded, e, id, now)}, nil
}
