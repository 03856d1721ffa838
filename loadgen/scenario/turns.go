package scenario

import (
	"math/rand/v2"
	"time"
)

// binLength is the grid on which turns begin and end: a frame.
const binLength = 20 * time.Millisecond

// minTalk is the shortest turn. Of a shorter one, little would be left beside
// the 100 ms that are measured as its onset.
const minTalk = Duration(200 * time.Millisecond)

// Turns is how speakers take turns.
type Turns struct {
	// Talk is how long a turn lasts.
	Talk Duration
	// Overlap is how many talk at any time.
	Overlap int
}

// Speaking reports whether speaker i of count speaks in a bin of 20 ms. The
// bins are counted from any start, not negative.
//
// Speakers follow one another in an order that the seed decides, and begin
// again with the first after the last. Turns last for Talk, rounded down to
// whole bins; one begins every Talk/Overlap. So exactly min(Overlap, count)
// speak in every bin, from the first on, in which turns are underway that would
// have begun earlier.
func (t Turns) Speaking(seed int64, count, i, bin int) bool {
	if i < 0 || i >= count {
		return false
	}
	overlap := int64(t.Overlap)
	if overlap >= int64(count) {
		return true
	}
	if overlap < 1 {
		return false
	}
	length := max(int64(t.Talk.Duration()/binLength), 1)
	// Turn j takes the bins from ⌊j·length/overlap⌋ on. The last one that has
	// begun is the largest j for which that is at most bin, and the overlap−1
	// before it have not ended.
	last := ((int64(bin)+1)*overlap+length-1)/length - 1
	place := int64(rand.New(rand.NewPCG(uint64(seed), turnsStream)).Perm(count)[i])
	// How many turns ago was the speaker's latest?
	ago := (last - place) % int64(count)
	if ago < 0 {
		ago += int64(count)
	}
	return ago < overlap
}

// turnsStream keeps the random numbers of turns apart from others of the seed.
const turnsStream = 0x7025
