package report

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

func TestClockWarnings(t *testing.T) {
	check := func(apart time.Duration, oneWay bool) loadgen.ClockCheck {
		return loadgen.ClockCheck{A: "1 (a)", B: "2 (b)", Apart: apart, Bound: 500 * time.Microsecond, OneWay: oneWay}
	}
	const exchanges = " their clocks are 250.0ms apart, and by their exchanges 500.0µs at most: "
	for _, c := range []struct {
		sentence string
		check    loadgen.ClockCheck
		want     []string
	}{
		{"they agree", check(1400*time.Microsecond, false), nil},
		{"a clock is ahead", check(250*time.Millisecond, false),
			[]string{"by what workers 1 (a) and 2 (b) hear of one another" + exchanges + "is one of their ways to the server so much longer there than back?"}},
		{"a clock is behind, by what one of them says", check(-250*time.Millisecond, true),
			[]string{"by what workers 1 (a) and 2 (b) hear of the speakers of one of them" + exchanges + "is the server so much farther from one of them?"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			assert.Equal(t, c.want, clockWarnings([]loadgen.ClockCheck{c.check}))
		})
	}
}

func TestDoubtOfAQuotaNamesWhoseItIs(t *testing.T) {
	worker := func(name string, quota float64) loadgen.Worker {
		return loadgen.Worker{WorkerInfo: link.WorkerInfo{Name: name}, Generator: tally.Generator{Quota: quota}}
	}
	for _, c := range []struct {
		sentence string
		run      loadgen.Result
		want     string
	}{
		{"one process", loadgen.Result{Generator: tally.Generator{Quota: 0.5}}, "in doubt: the quota of its control group (0.50 cores) kept"},
		{"one of two workers", loadgen.Result{Workers: []loadgen.Worker{worker("1 (fast)", 0), worker("2 (slow)", 0.1)}}, "in doubt: the quota of worker 2 (slow) (0.10 cores) kept"},
		{"both", loadgen.Result{Workers: []loadgen.Worker{worker("1 (a)", 0.2), worker("2 (b)", 0.1)}}, "in doubt: the quota of worker 1 (a) (0.20 cores) and 2 (b) (0.10 cores) kept"},
		{"it is gone at the end", loadgen.Result{Workers: []loadgen.Worker{worker("1 (a)", 0)}}, "in doubt: the quota of a worker's control group kept"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			c.run.Doubts.Throttled = time.Second
			assert.Contains(t, strings.Join(describeDoubts(&c.run), "\n"), c.want)
		})
	}
}
