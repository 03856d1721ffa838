package doubt

import (
	"iter"
	"slices"
	"time"
)

// A period is [from, until).
type period struct{ from, until time.Duration }

func (p period) when() period { return p }

// A timed thing lasts for a period.
type timed interface{ when() period }

// entered returns a list in the order of when they ended with one more of them. Of a list that has grown beyond
// maxDrops neighbours become one.
func entered[T timed](all []T, one T, join func(a, b T) T) []T {
	i := len(all)
	for i > 0 && all[i-1].when().until > one.when().until {
		i--
	}
	return thinned(slices.Insert(all, i, one), func(a, b T) (T, bool) { return join(a, b), true })
}

// and is the period of two neighbours in such a list.
func (p period) and(later period) period { return period{min(p.from, later.from), later.until} }

// overlapping are those of such a list that last in some of [from, until), the latest first.
func overlapping[T timed](all []T, from, until time.Duration) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, one := range slices.Backward(all) {
			p := one.when()
			if p.until <= from || p.from < until && !yield(one) {
				return
			}
		}
	}
}

// maxDrops bounds such a list, and those of drops and of losses. Beyond, neighbours become one: then more
// of them can be paired, and none less.
const maxDrops = 4096

// thinned returns a list that has grown beyond maxDrops with its neighbours made one, two by
// two, where they can be.
func thinned[T any](all []T, join func(a, b T) (T, bool)) []T {
	if len(all) <= maxDrops {
		return all
	}
	thin := all[:0]
	for i := 0; i < len(all); i++ {
		one := all[i]
		if i+1 < len(all) {
			if both, can := join(one, all[i+1]); can {
				one = both
				i++
			}
		}
		thin = append(thin, one)
	}
	clear(all[len(thin):])
	return thin
}
