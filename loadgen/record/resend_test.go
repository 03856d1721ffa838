package record

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/doubt"
)

func TestResendsAreExcusedByThePacket(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		sentence string
		strike   func(*Aggregator)
		excused  uint64
	}{
		{"nothing was in doubt", func(*Aggregator) {}, 0},
		{"the generator dropped two packets: two of the hundred are excused", func(a *Aggregator) { a.Drop(2, 4*second, 5*second) }, 2},
		{"it dropped more than are missing while it did", func(a *Aggregator) { a.Drop(1000, 4*second, 5*second) }, 40},
		{"it dropped them much later", func(a *Aggregator) { a.Drop(1000, 60*second, 61*second) }, 0},
		{"it did not run for a moment", func(a *Aggregator) { a.Doubt(doubt.Stalled, 4*second, 4200*time.Millisecond) }, 30},
		{"for so short a moment that it could ask in time", func(a *Aggregator) { a.Doubt(doubt.Stalled, 4*second, 4050*time.Millisecond) }, 0},
		{"others had the server's cores", func(a *Aggregator) { a.Deprive(4*second, 5*second, second) }, 30},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			a := NewAggregator()
			c.strike(a)
			for i := range 10 {
				from := time.Duration(i) * second
				a.LostResends(10, from, from+2900*time.Millisecond)
			}
			assert.Equal(t, c.excused, a.ExcusedResends())
		})
	}
}
