package doubt

import "time"

// A Competition is that a server waited for cores of its machine in a time, while the generator or
// others ran on them: for how long, and by how much it may have been behind for that. Always means that it
// may have been behind all the time.
type Competition struct {
	period
	waited, Behind time.Duration
	Always         bool
}

// competeLag is how long a thread may have waited before that is known.
const competeLag = 100 * time.Millisecond

// From is when it may have begun.
func (c Competition) From() time.Duration { return c.from }

// Lossy reports whether it was behind for so long that the buffers may have been full that hold what waits. A
// moment in which a core is free now and then is not.
func (c Competition) Lossy() bool { return c.Always && c.Behind >= DeprivedLoss }

// compete enters a competition: one in which the server is not behind, once there was another.
func (c *Cores) compete(one Competition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.competed += one.waited
	if one.Behind > 0 || len(c.competitions) > 0 {
		c.competitions = entered(c.competitions, one, func(a, b Competition) Competition {
			return Competition{a.and(b.period), a.waited + b.waited, max(a.Behind, b.Behind), a.Always && b.Always}
		})
	}
}

// Competition sums up [from, until): for how long the server waited, and by how much it was behind at
// most. Always means that it was behind all the time.
func (c *Cores) Competition(from, until time.Duration) (waited, behind time.Duration, always bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.competition(from, until)
}

// competition is Competition; c.mu is held.
func (c *Cores) competition(from, until time.Duration) (waited, behind time.Duration, always bool) {
	always = true
	for one := range overlapping(c.competitions, from, until) {
		waited, behind, always = waited+one.waited, max(behind, one.Behind), always && one.Always
	}
	return waited, behind, always && behind > 0
}
