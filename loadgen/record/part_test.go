package record

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// TestEveryTrendGoesOverTheWire holds the lists of trends against the types.
func TestEveryTrendGoesOverTheWire(t *testing.T) {
	var c closed
	assert.Len(t, c.all(), trendsIn(reflect.TypeOf(c)))
	assert.Len(t, c.worst.all(), trendsIn(reflect.TypeOf(c.worst)))
	seen := map[*metric.Trend]bool{}
	for _, one := range c.all() {
		assert.False(t, seen[one], "a trend is in the list twice")
		seen[one] = true
	}
}

func trendsIn(of reflect.Type) (n int) {
	switch {
	case of == reflect.TypeFor[metric.Trend]():
		return 1
	case of.Kind() == reflect.Array:
		return of.Len() * trendsIn(of.Elem())
	case of.Kind() == reflect.Struct:
		for i := range of.NumField() {
			n += trendsIn(of.Field(i).Type)
		}
	}
	return n
}

func TestAPartThatCannotBeIsRefused(t *testing.T) {
	for _, c := range []struct {
		sentence string
		part     Part
	}{
		{"another version", Part{Version: PartVersion + 1}},
		{"a bucket without a length", Part{Version: PartVersion, Buckets: []PartBucket{{From: 5, Until: 5}}}},
		{"a bucket that is too long", Part{Version: PartVersion, Buckets: []PartBucket{{From: 0, Until: 51}}}},
		{"the audience of a room that can't be", Part{Version: PartVersion, Audiences: []*PartAudience{{Room: -1}}}},
		{"no audience", Part{Version: PartVersion, Audiences: []*PartAudience{nil}}},
		{"a bucket of a cell that is not there", Part{Version: PartVersion, Buckets: []PartBucket{{Until: 50, Cells: []PartBucketCell{{}}}}}},
		{"a trend that is not there", Part{Version: PartVersion, Cells: []PartCell{{Trends: []PartTrend{{Of: 999, Trend: &metric.Trend{}}}}}}},
		{"scores of a window that is not there", Part{Version: PartVersion, Words: []PartWord{{Worst: &metric.Trend{}, Best: &metric.Trend{}}}}},
		{"more phases than there can be", Part{Version: PartVersion, Phases: make([]PartPhase, MaxPhases+1)}},
	} {
		assert.Error(t, NewMerger(NewAggregator(), []string{"a", "b"}).Add(0, c.part), c.sentence)
	}
	m := NewMerger(NewAggregator(), []string{"a", "b"})
	phases := func(from timebase.Bin) Part {
		return Part{Version: PartVersion, Before: 9, Phases: []PartPhase{{Steady, from, 100}}}
	}
	require.NoError(t, m.Add(0, phases(5)))
	assert.Error(t, m.Add(1, phases(6)), "the phases are the same for all")
	earlier := phases(5)
	earlier.Before = 8
	assert.Error(t, m.Add(0, earlier), "nothing goes back")
}

// TestRoomsOfPartsAddUp closes the accounts of a room's people in one process, and in two that share them.
func TestRoomsOfPartsAddUp(t *testing.T) {
	const people = 9
	figure := func(worst float64) Figure { return NewFigure(worst, false, func(uint64) float64 { return worst }) }
	account := func(i int) (Labels, Account) {
		return Labels{Probe: i%3 == 0}, Account{
			Room: 4, Joined: i != 1, JoinTook: time.Duration(i) * time.Millisecond, Life: metric.Rate{Passes: uint64(90 + i), Total: 100}, Steady: true,
			Loss: figure(float64(10 - i)), Gap: figure(float64(i)), Quality: figure(4 - float64(i)/10), Latency: figure(float64(20 + i)),
		}
	}
	one, merged := NewAggregator(), NewAggregator()
	parts := []*Aggregator{NewAggregator(), NewAggregator()}
	merger := NewMerger(merged, []string{"a", "b"})
	for _, a := range parts {
		a.Export()
	}
	for i := range people {
		labels, of := account(i)
		for _, a := range []*Aggregator{one, parts[i%2]} {
			a.CloseAccount(a.Cell(labels), of)
		}
	}
	one.Finish(time.Second)
	for i, a := range parts {
		a.Finish(time.Second)
		for _, p := range a.TakeParts() {
			require.NoError(t, merger.Add(i, p))
		}
	}
	merger.Finish()
	heard, told := one.audiences.all[4], merged.audiences.all[4]
	require.NotNil(t, told)
	assert.Equal(t, metric.Rate{Passes: people - 1, Total: people}, heard.Joined)
	assert.Equal(t, heard.Joined, told.Joined)
	assert.Equal(t, heard.Delivered, told.Delivered)
	for i, of := range heard.trends() {
		assert.Positive(t, of.Count())
		assert.Equal(t, of.Summary(), told.trends()[i].Summary())
	}
	assert.Empty(t, merger.buckets, "nothing is kept")
}
