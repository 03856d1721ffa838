package link

import "time"

// A Silence is for how long the other side of a connection has said nothing. Time in which
// this process stood still does not count, as it could hear nobody then. The zero Silence has
// just been broken. It is for one goroutine.
type Silence struct{ lasted time.Duration }

// Break enters that the other side has spoken.
func (s *Silence) Break() { s.lasted = 0 }

// Pass enters that so much time has passed since the last call, of which more than two
// reports' is this process's own. It reports once, after [LostAfter], that the other side is
// lost.
func (s *Silence) Pass(passed time.Duration) (lost bool) {
	before := s.lasted
	s.lasted += min(passed, 2*ReportEvery)
	return before <= LostAfter && s.lasted > LostAfter
}
