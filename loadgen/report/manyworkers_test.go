package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

// failing are so many workers on one machine of which all that can be said is bad.
func failing(n int, lost bool) *loadgen.Result {
	r := &loadgen.Result{Values: metric.Values{"delivered": metric.Rate{Passes: 1000, Total: 1000}}, Doubts: doubt.Sum{Throttled: time.Second}}
	for i := range n {
		w := loadgen.Worker{
			WorkerInfo: link.WorkerInfo{Name: fmt.Sprintf("%d (local)", i+1), Host: "one", Machine: "x"},
			Generator:  tally.Generator{CPU: 2, CPUs: 2, CPUWait: 9, Quota: 0.5, SendLag: time.Second, JoinLag: time.Second, ReadLag: time.Second},
			ClockBound: time.Second,
		}
		if lost {
			w.Lost = "it was killed"
		}
		r.Workers = append(r.Workers, w)
		for j := range i {
			r.ClockChecks = append(r.ClockChecks, loadgen.ClockCheck{A: r.Workers[j].Name, B: w.Name, Apart: time.Minute})
		}
	}
	return r
}

// TestManyWorkersAreNamedInBoundedText: whatever is wrong with however many workers, a sentence names few of them, and few sentences
// say the same of others. Each worker has its own figures.
func TestManyWorkersAreNamedInBoundedText(t *testing.T) {
	for _, n := range []int{25, 1000} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d workers, lost: %v", n, lost), func(t *testing.T) {
				r := Judge(failing(n, lost), nil)
				lines := append([]string{}, r.Reasons...)
				lines = append(lines, r.limits()...)
				lines = append(lines, r.shortcomings()...)
				lines = append(lines, describeDoubts(r.Result)...)
				lines = append(lines, clockWarnings(r.Result.ClockChecks)...)
				assert.LessOrEqual(t, len(lines), 150)
				for _, line := range lines {
					assert.LessOrEqual(t, strings.Count(line, "(local)"), mostNamed, line)
				}
				var text, html, junit bytes.Buffer
				require.NoError(t, r.WriteText(&text))
				require.NoError(t, r.WriteHTML(&html))
				require.NoError(t, r.WriteJUnit(&junit))
				for name, out := range map[string]string{"text": text.String(), "HTML": html.String(), "JUnit": junit.String()} {
					for line := range strings.Lines(out) {
						if strings.Contains(line, "together they") {
							assert.Contains(t, line, fmt.Sprintf("%d others", n-mostNamed), name)
						}
					}
				}
			})
		}
	}
}

func TestFewWorkersAreAllNamed(t *testing.T) {
	for _, c := range []struct {
		names int
		want  string
	}{
		{1, "worker 1"},
		{2, "worker 1 and 2"},
		{mostNamed + 1, "worker 1 and 2 and 3 and 4"},
		{mostNamed + 2, "5 workers (1, 2, 3 and 2 others)"},
		{25, "25 workers (1, 2, 3 and 22 others)"},
	} {
		var names []string
		for i := range c.names {
			names = append(names, fmt.Sprint(i+1))
		}
		assert.Equal(t, c.want, some(names, "worker"))
	}
}
