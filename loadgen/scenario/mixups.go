package scenario

import (
	"fmt"
	"time"
)

// toldApart is for how long a run knows what a room's mics have said: what another room says of
// the same recording is told from it beyond that (see record.Lateness).
const toldApart = 5 * time.Second

// hidesMixUps says that a run could often not tell if a server plays the recording to the wrong
// room, if it is so: each room has the whole cast, and at most times one of its mics has said
// what any other room says.
func (s *Scenario) hidesMixUps(recording string, length time.Duration) string {
	if s.Rooms < 2 || s.Listeners() == 0 || s.AudioCheck == CheckMarker {
		return ""
	}
	mics := 0
	for _, g := range s.Cast {
		for i := range g.Count {
			if n := len(g.Audio); n > 0 && g.Audio[i%n] == recording {
				mics++
			}
		}
	}
	if said := time.Duration(mics) * toldApart; 2*said < length || mics == 0 {
		return ""
	}
	return fmt.Sprintf("%d rooms play the same recording of %s: if the server mixes rooms up, the run may take it for late packets; "+
		"take one of more than %v, or set audio_check: marker", s.Rooms, Duration(length.Round(100*time.Millisecond)), time.Duration(2*mics)*toldApart)
}
