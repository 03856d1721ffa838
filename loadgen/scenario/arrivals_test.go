package scenario

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

var shapes = []Shape{Linear, Poisson, SCurve, Burst}

func drawArrivals(t *rapid.T) Arrivals {
	return Arrivals{
		Within: Duration(rapid.OneOf(rapid.Int64Range(0, 100), rapid.Int64Range(0, int64(maxDuration))).Draw(t, "within")),
		Shape:  rapid.SampledFrom(shapes).Draw(t, "shape"),
	}
}

func TestArrivalsAreInOrderAndInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawArrivals(t)
		n := rapid.IntRange(0, 2000).Draw(t, "n")
		seed := rapid.Int64().Draw(t, "seed")
		times := a.Times(n, seed)
		if len(times) != n {
			t.Fatalf("%d of %d come", len(times), n)
		}
		if !slices.IsSorted(times) {
			t.Fatal("they are not in order")
		}
		if n > 0 && (times[0] < 0 || times[n-1] > a.Within.Duration()) {
			t.Fatalf("they come from %v to %v, and not within %v", times[0], times[n-1], a.Within)
		}
		if !slices.Equal(times, a.Times(n, seed)) {
			t.Fatal("they come otherwise the second time")
		}
		if a.Shape != Poisson && !slices.Equal(times, a.Times(n, seed+1)) {
			t.Fatal("the seed changes what is not left to chance")
		}
	})
}

func TestArrivalsCountFitsTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawArrivals(t)
		if a.Shape == Poisson {
			t.Skip("its times are random, its count is what to expect")
		}
		n := rapid.IntRange(1, 500).Draw(t, "n")
		elapsed := time.Duration(rapid.Int64Range(-10, 2*int64(a.Within)+10).Draw(t, "elapsed"))
		come := 0
		for _, at := range a.Times(n, 1) {
			if at <= elapsed {
				come++
			}
		}
		if got := a.Count(elapsed, n); got != come {
			t.Fatalf("Count(%v, %d) is %d, and %d have come", elapsed, n, got, come)
		}
	})
}

func TestArrivalShapes(t *testing.T) {
	const n = 1000
	within := Duration(10 * time.Second)
	share := func(a Arrivals, elapsed time.Duration) float64 {
		come := 0
		for _, at := range a.Times(n, 7) {
			if at <= elapsed {
				come++
			}
		}
		return float64(come) / n
	}
	for name, tt := range map[string]struct {
		shape                       Shape
		atStart, quarter, half, end float64
		tolerance                   float64
	}{
		"linear arrivals are even":            {Linear, 0, 0.25, 0.5, 1, 0.002},
		"an s-curve is slow, fast and slow":   {SCurve, 0, 0.15625, 0.5, 1, 0.002},
		"a burst is there at once":            {Burst, 1, 1, 1, 1, 0},
		"Poisson arrivals are even, by large": {Poisson, 0, 0.25, 0.5, 1, 0.05},
	} {
		t.Run(name, func(t *testing.T) {
			a := Arrivals{Within: within, Shape: tt.shape}
			assert.InDelta(t, tt.atStart, share(a, 0), tt.tolerance)
			assert.InDelta(t, tt.quarter, share(a, 2500*time.Millisecond), tt.tolerance)
			assert.InDelta(t, tt.half, share(a, 5*time.Second), tt.tolerance)
			assert.InDelta(t, tt.end, share(a, 10*time.Second), tt.tolerance)
		})
	}
}

// Exponential gaps have a standard deviation as large as their mean; even ones
// have none.
func TestArrivalsPoissonGapsAreExponential(t *testing.T) {
	const n = 20_000
	times := Arrivals{Within: Duration(time.Hour), Shape: Poisson}.Times(n, 3)
	mean := time.Hour.Seconds() / n
	var squares float64
	long := 0
	for i := 1; i < n; i++ {
		gap := (times[i] - times[i-1]).Seconds()
		squares += (gap - mean) * (gap - mean)
		if gap > 2*mean {
			long++
		}
	}
	assert.InEpsilon(t, mean*mean, squares/n, 0.05, "variance")
	assert.InDelta(t, 0.1353, float64(long)/n, 0.01, "e⁻² of the gaps are longer than twice the mean")
	assert.NotEqual(t, times, Arrivals{Within: Duration(time.Hour), Shape: Poisson}.Times(n, 4))
}

func TestArrivalsOfNobody(t *testing.T) {
	assert.Empty(t, Arrivals{Shape: Linear}.Times(-1, 1))
	assert.Zero(t, Arrivals{Shape: Linear}.Count(time.Hour, 0))
	assert.Equal(t, make([]time.Duration, 5), Arrivals{}.Times(5, 1), "the zero value is a burst")
}
