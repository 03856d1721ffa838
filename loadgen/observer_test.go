package loadgen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/process"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/scoreboard"
	"github.com/earshot-audio/earshot/loadgen/timebase"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// A sum that is less for a moment is no number of drops beyond all bounds, which would excuse
// whatever a server loses.
func TestObserverBooksWhatWasDroppedSinceItWasKnown(t *testing.T) {
	o := &observer{}
	for _, c := range []struct {
		sentence string
		at       time.Duration
		lost     uint64
		complete bool
		drops    uint64
		from     time.Duration
	}{
		{"nothing", 10 * time.Second, 0, true, 0, 0},
		{"some", 11 * time.Second, 5, true, 5, 9 * time.Second},
		{"a socket is replaced, whose drops are not among the sum for a moment", 12 * time.Second, 3, true, 0, 10 * time.Second},
		{"they are again, with others", 13 * time.Second, 7, true, 2, 11 * time.Second},
		{"a counter can't be read", 14 * time.Second, 8, false, 1, 12 * time.Second},
		{"it can be read again: when the rest was dropped is not known", 15 * time.Second, 20, true, 12, 12 * time.Second},
		{"and nothing since", 16 * time.Second, 20, true, 0, 14 * time.Second},
	} {
		drops, from := o.enter(c.lost, c.complete, c.at)
		assert.Equal(t, c.drops, drops, c.sentence)
		assert.Equal(t, c.from, from, c.sentence)
	}
}

// What a server used of which nothing is known at the end, or that has begun anew, is no figure: it
// would be too low.
func TestServerFiguresAreOfAllThatIsMeasured(t *testing.T) {
	used := func(cpu time.Duration, began float64) *process.Usage {
		return &process.Usage{CPU: cpu, Memory: 1e6, Began: began}
	}
	for _, c := range []struct {
		sentence      string
		before, after usage.Sample
		last          *usage.Sample
		cores         float64 // 0: no data
		died          bool
	}{
		{"it was measured to the end", usage.Sample{Server: used(time.Second, 7)}, usage.Sample{At: 10 * time.Second, Server: used(6*time.Second, 7)}, nil, 0.5, false},
		{"it has begun anew", usage.Sample{Server: used(time.Second, 7)}, usage.Sample{At: 10 * time.Second, Server: used(6*time.Second, 8)}, nil, 0, false},
		{"it has begun anew, and does not say so", usage.Sample{Server: used(5*time.Second, 0)}, usage.Sample{At: 10 * time.Second, Server: used(time.Second, 0)}, nil, 0, false},
		{"it could not be measured at the end", usage.Sample{Server: used(time.Second, 7)}, usage.Sample{At: 10 * time.Second}, &usage.Sample{At: 2 * time.Second, Server: used(2*time.Second, 7)}, 0, false},
		{"it died, and had used that until then", usage.Sample{Server: used(time.Second, 7)}, usage.Sample{At: 10 * time.Second, Ended: true}, &usage.Sample{At: 2 * time.Second, Server: used(2*time.Second, 7)}, 0.5, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			r := scoreboard.New(Config{Driver: onHere{}, Scenario: &scenario.Scenario{
				Rooms: 1, Cast: []scenario.Group{{Role: scenario.Speaker, Count: 1}, {Role: scenario.Listener, Count: 2}},
			}}, timebase.NewClock(), problem.NewCounter())
			if c.last != nil {
				r.EnterUse(*c.last)
			}
			result := r.Combine(doubt.Sum{}, nil, nil, false, Span{}, c.before, c.after)
			assert.Equal(t, c.died, result.Server.Died)
			assert.Contains(t, result.Values, "server_rss")
			if c.cores == 0 {
				assert.NotContains(t, result.Values, "server_cpu")
				assert.NotContains(t, result.Values, "packets_per_core")
				return
			}
			assert.InDelta(t, c.cores, float64(result.Values["server_cpu"].(metric.Gauge)), 1e-9)
			assert.Contains(t, result.Values, "packets_per_core")
		})
	}
}
