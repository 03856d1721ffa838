package loadgen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

func TestClocksAreCheckedByWhatWorkersHear(t *testing.T) {
	heard := func(ms float64, n uint64) *metric.Trend {
		one := &metric.Trend{}
		one.RecordN(ms, n)
		return one
	}
	for _, c := range []struct {
		sentence    string
		aOfB, bOfA  *metric.Trend
		apart       time.Duration
		none        bool
		contradicts bool
	}{
		{"clocks that agree", heard(3, 200), heard(3, 200), 0, false, false},
		{"a clock that is 250 ms ahead hears late, and is heard early", heard(-247, 200), heard(253, 200), 250 * time.Millisecond, false, true},
		{"one that is behind", heard(253, 200), heard(-247, 200), -250 * time.Millisecond, false, true},
		{"as far as the bounds allow, and the ways may be unlike", heard(2, 200), heard(4.8, 200), 1400 * time.Microsecond, false, false},
		{"the ways are long, and alike", heard(80, 200), heard(80, 200), 0, false, false},
		{"one of them has no mic", heard(3, 200), nil, 0, true, false},
		{"too few packets", heard(3, 200), heard(300, 99), 0, true, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			workers := []Worker{{WorkerInfo: WorkerInfo{Name: "a"}, ClockBound: 200 * time.Microsecond}, {WorkerInfo: WorkerInfo{Name: "b"}, ClockBound: 300 * time.Microsecond}}
			all := checkClocks(workers, []map[int]*metric.Trend{{0: heard(9, 200), 1: c.aOfB}, {0: c.bOfA}})
			if c.none {
				assert.Empty(t, all)
				return
			}
			require.Len(t, all, 1)
			assert.Equal(t, "a", all[0].A)
			assert.InDelta(t, c.apart, all[0].Apart, float64(5*time.Millisecond), "as fine as trends are")
			assert.Equal(t, 500*time.Microsecond, all[0].Bound)
			assert.Equal(t, c.contradicts, all[0].Contradicts())
		})
	}
}
