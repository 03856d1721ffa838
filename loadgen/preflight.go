package loadgen

import (
	"fmt"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// spareFiles is what a run opens besides its people: itself, its audio, its
// HTTP connections.
const spareFiles = 128

// preflight refuses a run that this machine's limits can't carry, and names
// what to raise.
func preflight(s *scenario.Scenario) error {
	limit, ok := openFiles()
	if !ok {
		return nil
	}
	need := uint64(spareFiles)
	for _, g := range s.Cast {
		// A signaling connection and a media socket; on stage a second one.
		each := uint64(2)
		if g.Role != scenario.Listener {
			each = 3
		}
		need += each * uint64(g.Count) * uint64(s.Rooms)
	}
	if need > limit {
		return fmt.Errorf("the run needs about %d open files and this process may have %d: raise the limit with ulimit -n %d, or cast fewer people", need, limit, need)
	}
	return nil
}
