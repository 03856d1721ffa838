package loadgen

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server that is bad in some rooms, or for some workers, must be bad to as many probes,
// or the probes clear it.
func TestProbesAreSpreadOverRoomsAndWorkers(t *testing.T) {
	for _, rooms := range []int{1, 2, 3, 4, 5, 10, 25, 50, 61, 100, 101, 200} {
		for _, listeners := range []int{1, 2, 5, 20, 99, 100, 101, 400} { // in each room
			for workers := 1; workers <= 8; workers++ {
				all := rooms * listeners
				share := Share{Of: workers}
				inRoom, ofWorker, inHalf := make([]int, rooms), make([]int, workers), [2]int{}
				probes := 0
				for i := range all {
					if share.isProbe(i, all) {
						probes++
						inRoom[i%rooms]++
						ofWorker[i%workers]++
						inHalf[2*i/all]++
					}
				}
				what := []any{"%d rooms of %d, %d workers: %v", rooms, listeners, workers, inRoom}
				require.GreaterOrEqual(t, probes, min(all, max(minProbes, all/listenersPerProbe)), what...)
				require.LessOrEqual(t, probes, 2*(max(minProbes, all/listenersPerProbe)+workers), what...)
				met, most := 0, 0
				for _, n := range inRoom {
					most = max(most, n)
					if n > 0 {
						met++
					}
				}
				// By chance it would be 63 % of as many rooms as probes.
				assert.GreaterOrEqual(t, met, min(probes, rooms)*2/5, what...)
				assert.LessOrEqual(t, most, 3*probes/rooms+4, what...)
				for w, n := range ofWorker[:min(workers, all)] {
					assert.Positive(t, n, "worker %d: %v", w, ofWorker)
				}
				if probes >= 10 {
					assert.Positive(t, inHalf[0], what...)
					assert.Positive(t, inHalf[1], what...)
				}
			}
		}
	}
}
