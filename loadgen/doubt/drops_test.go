package doubt

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// pairable is how many losses can be paired with drops, found by trying: each loss takes a drop,
// or makes another loss give up its own for one more (augmenting paths).
func pairable(d *Drops, chosen []Losses) (n int) {
	var dropped []Drop
	for _, one := range d.all {
		dropped = append(dropped, slices.Repeat([]Drop{one}, int(one.N))...)
	}
	var lost []Losses
	for _, l := range chosen {
		lost = append(lost, slices.Repeat([]Losses{l}, int(l.Cells[0]))...)
	}
	owner := slices.Repeat([]int{-1}, len(dropped))
	var take func(i int, tried []bool) bool
	take = func(i int, tried []bool) bool {
		for j, one := range dropped {
			if tried[j] || !one.may(lost[i]) {
				continue
			}
			tried[j] = true
			if owner[j] < 0 || take(owner[j], tried) {
				owner[j] = i
				return true
			}
		}
		return false
	}
	for i := range lost {
		if take(i, make([]bool, len(dropped))) {
			n++
		}
	}
	return n
}

func TestDropsArePairedWithAsManyLossesAsCanBe(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seconds := func(name string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(rt, name)) * time.Second
		}
		d := &Drops{}
		for range rapid.IntRange(0, 6).Draw(rt, "drops") {
			from := seconds("from", 12)
			d.Enter(Drop{from, from + seconds("for", 4), rapid.Uint64Range(1, 5).Draw(rt, "n")})
		}
		var losses []Losses
		late := time.Duration(0)
		for i := range rapid.IntRange(0, 10).Draw(rt, "buckets") {
			late = max(late, seconds("late", 5)) // as the latest packet so far
			from := time.Duration(i) * time.Second
			losses = append(losses, Losses{from, from + time.Second + late, 1, []uint64{rapid.Uint64Range(0, 4).Draw(rt, "lost")}})
		}
		for _, l := range losses {
			d.Losses = d.Keep(d.Losses, l)
		}
		of := func(l Losses) uint64 { return l.Cells[0] }
		assert.EqualValues(rt, pairable(d, losses), d.Pair(losses, of))
		assert.EqualValues(rt, pairable(d, losses), d.Pair(d.Losses, of), "what no drop can have caused need not be kept")
	})
}

func TestDropsTakeBoundedMemoryAndPairNoFewer(t *testing.T) {
	d := &Drops{}
	const seconds = 3 * maxDrops
	for i := range time.Duration(seconds) {
		d.Enter(Drop{i * time.Second, (i + 2) * time.Second, 2})
	}
	for i := range time.Duration(seconds) {
		d.Losses = d.Keep(d.Losses, Losses{i * time.Second, (i + 1) * time.Second, 1, []uint64{1, 7}})
	}
	assert.LessOrEqual(t, len(d.all), maxDrops)
	assert.LessOrEqual(t, len(d.Losses), maxDrops)
	assert.EqualValues(t, seconds, d.Pair(d.Losses, func(l Losses) uint64 { return l.Cells[0] }))
	assert.EqualValues(t, 2*seconds, d.Pair(d.Losses, func(l Losses) uint64 { return l.Cells[1] }))
}
