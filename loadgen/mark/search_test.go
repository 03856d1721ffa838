package mark

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// hopsOf are hops to search with, of the code's own samples from a place on and as much
// noise.
func hopsOf(c *Code, place int) (hops []*whiteHop) {
	random := rand.New(rand.NewPCG(1, uint64(place)))
	pcm := make([]float32, (searched+2)*Hop)
	for i := range pcm {
		pcm[i] = float32(c.at(place-Hop+i)+random.NormFloat64()) / 8
	}
	for h := range searched {
		hops = append(hops, whiten(pcm, (h+1)*Hop))
	}
	return hops
}

func TestFindWhereverACodeIs(t *testing.T) {
	c, other := codeOne(), NewCode(2)
	for _, place := range []int{0, 1, grid - 1, grid, 2*grid - 1, 70_001, period - grid, period - 1} {
		hops := hopsOf(c, place)
		for _, from := range []int{0, -1, 1, grid + 3, -period/2 - 7} {
			at, found := find(hops, c, from, period)
			assert.True(t, found, "everywhere from %d on", from)
			assert.Equal(t, place, at)
		}
		for _, before := range []int{0, 1, near / 2, near + Hop - 1} {
			at, found := find(hops, c, place-before, near+Hop)
			assert.True(t, found, "%d places before", before)
			assert.Equal(t, place, at)
		}
		_, found := find(hops, c, place+Hop, near)
		assert.False(t, found, "it begins before what is searched")
		_, found = find(hops, c, place-near-Hop, near)
		assert.False(t, found, "it begins after what is searched")
		_, found = find(hops, other, 0, period)
		assert.False(t, found, "it is another code")
	}
}
