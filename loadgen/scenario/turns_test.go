package scenario

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func speaking(t Turns, seed int64, count, bin int) (who []int) {
	for i := range count {
		if t.Speaking(seed, count, i, bin) {
			who = append(who, i)
		}
	}
	return who
}

func TestTurnsHaveExactlyOverlapSpeakers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 12).Draw(t, "count")
		turns := Turns{
			Talk:    Duration(rapid.Int64Range(int64(minTalk), int64(20*time.Second)).Draw(t, "talk")),
			Overlap: rapid.IntRange(1, count).Draw(t, "overlap"),
		}
		seed := rapid.Int64().Draw(t, "seed")
		bin := rapid.IntRange(0, 200_000).Draw(t, "bin")
		if who := speaking(turns, seed, count, bin); len(who) != turns.Overlap {
			t.Fatalf("%v of %d speak in bin %d, with an overlap of %d", who, count, bin, turns.Overlap)
		}
	})
}

// Followed from bin to bin, each turn lasts for talk, and the speakers come in
// one fixed order.
func TestTurnsLastAndFollowOneAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(2, 8).Draw(t, "count")
		turns := Turns{
			Talk:    Duration(rapid.Int64Range(int64(minTalk), int64(3*time.Second)).Draw(t, "talk")),
			Overlap: rapid.IntRange(1, count-1).Draw(t, "overlap"),
		}
		seed := rapid.Int64().Draw(t, "seed")
		length := int(turns.Talk.Duration() / binLength)

		began := make([]int, count)
		var order []int // of those who begin
		for bin := range length * (2*count + 2) {
			for i := range count {
				now := turns.Speaking(seed, count, i, bin)
				before := bin > 0 && turns.Speaking(seed, count, i, bin-1)
				switch {
				case now && !before:
					began[i] = bin
					if bin > 0 {
						order = append(order, i)
						if want := len(order) * length / turns.Overlap; bin != want {
							t.Fatalf("turn %d begins in bin %d, not %d", len(order), bin, want)
						}
					}
				case !now && before && began[i] > 0 && bin-began[i] != length:
					t.Fatalf("speaker %d spoke for %d bins, not %d", i, bin-began[i], length)
				}
			}
		}
		if len(order) <= count {
			t.Fatalf("only %d turns began", len(order))
		}
		for k := count; k < len(order); k++ {
			if order[k] != order[k-count] {
				t.Fatalf("the order %v does not repeat after %d", order, count)
			}
		}
	})
}

func TestTurnsDependOnTheSeed(t *testing.T) {
	turns := Turns{Talk: Duration(time.Second), Overlap: 1}
	first := map[int]bool{}
	for seed := range int64(50) {
		first[speaking(turns, seed, 6, 0)[0]] = true
	}
	assert.Len(t, first, 6, "each of six begins with some seed")
}

func TestTurnsOfNobody(t *testing.T) {
	turns := Turns{Talk: Duration(time.Second), Overlap: 2}
	assert.False(t, turns.Speaking(1, 3, -1, 0))
	assert.False(t, turns.Speaking(1, 3, 3, 0))
	assert.True(t, turns.Speaking(1, 2, 0, 99), "where all may overlap, all speak")
	assert.False(t, Turns{}.Speaking(1, 3, 0, 0), "the zero value lets nobody speak")
}
