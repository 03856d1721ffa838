package share

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A server that is bad in some rooms, or for some workers, must be bad to as many probes,
// or the probes clear it.
func TestProbesAreSpreadOverRoomsAndWorkers(t *testing.T) {
	for _, rooms := range []int{1, 2, 3, 4, 5, 10, 25, 50, 61, 100, 101, 200} {
		for _, listeners := range []int{1, 2, 5, 20, 99, 100, 101, 400} { // in each room
			for workers := 1; workers <= 8; workers++ {
				assertProbesAreSpread(t, rooms, listeners, workers)
			}
		}
	}
}

func assertProbesAreSpread(t *testing.T, rooms, listeners, workers int) {
	t.Helper()
	all, share := rooms*listeners, Share{Of: workers}
	inRoom, ofWorker, inHalf := make([]int, rooms), make([]int, workers), [2]int{}
	probes, met, most := 0, 0, 0
	for i := range all {
		if !share.IsProbe(i, all) {
			continue
		}
		if inRoom[i%rooms] == 0 {
			met++
		}
		probes++
		inRoom[i%rooms]++
		ofWorker[i%workers]++
		inHalf[2*i/all]++
		most = max(most, inRoom[i%rooms])
	}
	what := fmt.Sprintf("%d rooms of %d, %d workers: %v of the rooms, %v of the workers", rooms, listeners, workers, inRoom, ofWorker)
	wanted := max(minProbes, all/listenersPerProbe)
	assert.GreaterOrEqual(t, probes, min(all, wanted), what)
	assert.LessOrEqual(t, probes, 2*(wanted+workers), what)
	// By chance it would be 63 % of as many rooms as probes.
	assert.GreaterOrEqual(t, met, min(probes, rooms)*2/5, what)
	assert.LessOrEqual(t, most, 3*probes/rooms+4, what)
	assert.NotContains(t, ofWorker[:min(workers, all)], 0, what)
	if probes >= 10 {
		assert.NotContains(t, inHalf, 0, what)
	}
}

// Who is chosen for an event does not depend on how many workers share the people, and whom of them
// each has.
func TestSharesChooseAsOneDoes(t *testing.T) {
	s := &scenario.Scenario{Seed: 3}
	const people, room = 37, 2
	for i, count := range []int{4, 9, 2, 3, 40} { // of the timeline's events
		var all []Candidate
		for place := range people {
			if place%5 != i { // who can't
				all = append(all, Candidate{place, Rank(s, room, i, place), place%7 == 3})
			}
		}
		want := slices.Clone(Choose(slices.Clone(all), count))
		for n := 1; n <= 40; n++ {
			var offered []Candidate
			for worker := range n {
				var own []Candidate
				for _, c := range all {
					if (Share{worker, n}).Has(c.Place) {
						own = append(own, c)
					}
				}
				offered = append(offered, Choose(own, count)...)
			}
			assert.Equal(t, want, Choose(offered, count), "event %d by %d workers", i, n)
		}
	}
}
