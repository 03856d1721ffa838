package coordinator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scoreboard"
)

func TestClocksAreCheckedByWhatWorkersHear(t *testing.T) {
	heard := func(ms float64, n uint64) *metric.Trend {
		one := &metric.Trend{}
		one.RecordN(ms, n)
		return one
	}
	for _, c := range []struct {
		sentence               string
		aOfA, aOfB, bOfA, bOfB *metric.Trend
		apart                  time.Duration
		none, oneWay           bool
		contradicts            bool
	}{
		{"clocks that agree", heard(9, 200), heard(3, 200), heard(3, 200), nil, 0, false, false, false},
		{"a clock that is 250 ms ahead hears late, and is heard early", nil, heard(-247, 200), heard(253, 200), nil, 250 * time.Millisecond, false, false, true},
		{"one that is behind", nil, heard(253, 200), heard(-247, 200), nil, -250 * time.Millisecond, false, false, true},
		{"as far as the bounds allow, and the ways may be unlike", nil, heard(2, 200), heard(4.8, 200), nil, 1400 * time.Microsecond, false, false, false},
		{"the ways are long, and alike", nil, heard(80, 200), heard(80, 200), nil, 0, false, false, false},
		{"only the first has a mic, and the clocks agree", heard(3, 200), nil, heard(3, 200), nil, 0, false, true, false},
		{"only the first has a mic, and the second's clock is ahead", heard(3, 200), nil, heard(253, 200), nil, 250 * time.Millisecond, false, true, true},
		{"only the second has a mic, and its clock is ahead", nil, heard(-247, 200), nil, heard(3, 200), 250 * time.Millisecond, false, true, true},
		{"only the second has a mic, and its clock is behind", nil, heard(253, 200), nil, heard(3, 200), -250 * time.Millisecond, false, true, true},
		{"only the second has a mic, and it is as far as the bounds allow", nil, heard(4.4, 200), nil, heard(3, 200), -1400 * time.Microsecond, false, true, false},
		{"one has a mic, and does not hear it itself", nil, nil, heard(3, 200), nil, 0, true, false, false},
		{"one has a mic, and hears it too seldom itself", heard(3, 99), nil, heard(3, 200), nil, 0, true, false, false},
		{"too few packets", nil, heard(3, 200), heard(300, 99), nil, 0, true, false, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			workers := []scoreboard.Worker{{WorkerInfo: link.WorkerInfo{Name: "a"}, ClockBound: 200 * time.Microsecond}, {WorkerInfo: link.WorkerInfo{Name: "b"}, ClockBound: 300 * time.Microsecond}}
			crossed := []map[int]*metric.Trend{{0: c.aOfA, 1: c.aOfB}, {0: c.bOfA, 1: c.bOfB}}
			assert.Empty(t, checkClocks(make([]scoreboard.Worker, 2), crossed), "who has one clock need not be checked")
			all := checkClocks(workers, crossed)
			if c.none {
				assert.Empty(t, all)
				return
			}
			require.Len(t, all, 1)
			assert.Equal(t, "a", all[0].A)
			assert.InDelta(t, c.apart, all[0].Apart, float64(5*time.Millisecond), "as fine as trends are")
			assert.Equal(t, 500*time.Microsecond, all[0].Bound)
			assert.Equal(t, c.oneWay, all[0].OneWay)
			assert.Equal(t, c.contradicts, all[0].Contradicts())
		})
	}
}
