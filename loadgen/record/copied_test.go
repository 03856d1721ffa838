package record

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// TestRecoveredByREDOfThoseWhoWereRefusedIt closes the accounts of listeners in one process, and in as many as there are
// of them.
func TestRecoveredByREDOfThoseWhoWereRefusedIt(t *testing.T) {
	rate := func(passes, total uint64) metric.Rate { return metric.Rate{Passes: passes, Total: total} }
	came := func(passes, total uint64) CopiedRate {
		return CopiedRate{Worst: rate(passes, total), Best: rate(passes, total)}
	}
	refused := CopiedRate{Worst: rate(0, 100), Best: rate(0, 70), Refused: true}
	for _, c := range []struct {
		sentence    string
		listeners   []CopiedRate
		worst, best metric.Rate // of no frames: there is no data
	}{
		{"nobody asked for copies", []CopiedRate{{}, {}}, rate(0, 0), rate(0, 0)},
		{"copies came, and saved nothing", []CopiedRate{came(0, 40), {}}, rate(0, 0), rate(0, 0)},
		{"one was refused them", []CopiedRate{refused, {}}, rate(0, 100), rate(0, 70)},
		{"one was refused them, and another not", []CopiedRate{refused, came(60, 80)}, rate(60, 180), rate(60, 150)},
		{"all that the refused one missed is in doubt", []CopiedRate{{Worst: rate(0, 100), Refused: true}, {}}, rate(0, 0), rate(0, 0)},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			one, merged := NewAggregator(), NewAggregator()
			merger := NewMerger(merged, []string{"a", "b"})
			for i, red := range c.listeners {
				part := NewAggregator()
				part.Export()
				for _, a := range []*Aggregator{one, part} {
					a.CloseAccount(a.Cell(Labels{}), Account{Joined: true, Steady: true, RED: red})
				}
				part.Finish(time.Second)
				for _, p := range part.TakeParts() {
					require.NoError(t, merger.Add(i, p))
				}
			}
			one.Finish(time.Second)
			merger.Finish()
			for _, totals := range []Totals{one.Totals(), merged.Totals()} {
				if c.worst.Total == 0 {
					assert.NotContains(t, totals.Values, "recovered{by:red}")
					continue
				}
				assert.Equal(t, c.worst, totals.Values["recovered{by:red}"])
				best, apart := totals.Best["recovered{by:red}"]
				require.True(t, apart)
				assert.Equal(t, c.best, best)
			}
		})
	}
}
