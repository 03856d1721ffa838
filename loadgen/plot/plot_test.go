package plot

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/internal/chart"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

func TestEachJoinStepHasAColourOfItsOwn(t *testing.T) {
	values, second := metric.Values{}, &metric.Trend{}
	second.RecordN(1, 10_000)
	for _, step := range metric.JoinSteps {
		values.Set("join_step"+metric.Selector{Step: step}.String(), second)
	}
	seen := map[int]bool{}
	for _, s := range joinSteps(values).Series {
		assert.False(t, seen[s.Tone], s.Name)
		assert.LessOrEqual(t, s.Tone, chart.Tones)
		seen[s.Tone] = true
	}
	assert.Len(t, seen, len(metric.JoinSteps))
}

func TestDistributionCountsEveryListenerOnce(t *testing.T) {
	trend := &metric.Trend{}
	for i := range 500 {
		trend.Record(float64(i%7) * 10)
	}
	for _, top := range []float64{0, 100} {
		t.Run(fmt.Sprint("up to ", top), func(t *testing.T) {
			p := distribution(metric.Values{"audio_gap": trend}, "audio_gap", "gaps", "gaps", 0, top)
			total := 0.0
			for _, bar := range p.Series[0].Points {
				total += bar.Y
			}
			assert.EqualValues(t, 500, total)
		})
	}
}

func TestDistributionHasAllThatIsBeyondTheRange(t *testing.T) {
	gaps := &metric.Trend{} // some of more than a minute
	gaps.RecordN(1, 90)
	for i := range 10 {
		gaps.Record(61_000 + float64(i)*1000)
	}
	p := distribution(metric.Values{"audio_gap": gaps}, "audio_gap", "gaps", "gaps", 0, 0)
	bars := p.Series[0].Points
	assert.EqualValues(t, 10, bars[len(bars)-1].Y)
	assert.Contains(t, p.Description, "the last bar")
}

func TestCumulativePlotEndsWithTheSamples(t *testing.T) {
	few, many := shares(10), shares(1_000_000)
	assert.LessOrEqual(t, few[len(few)-1], 0.9+1e-9)
	assert.Greater(t, many[len(many)-1], 0.99999)
	for _, all := range [][]float64{few, many} {
		for i := 1; i < len(all); i++ {
			assert.Greater(t, all[i], all[i-1])
		}
	}
}
