package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen"
)

func TestProgress(t *testing.T) {
	steps := []loadgen.Progress{
		{Phase: "arrivals", Elapsed: time.Second, Cast: 100, Joined: 50},
		{Phase: "arrivals", Elapsed: 2 * time.Second, Cast: 100, Joined: 75},
		{Phase: "steady", Elapsed: 3 * time.Second, InPhase: 5 * time.Second, Hold: 10 * time.Second, Cast: 100, Joined: 100, Heard: 999, Owed: 1000},
		{Phase: "steady", Elapsed: 9 * time.Second, InPhase: 9 * time.Second, Hold: 10 * time.Second, Cast: 100, Joined: 100},
	}
	t.Run("elsewhere it is a line a phase and a line every few seconds", func(t *testing.T) {
		var b bytes.Buffer
		p := New(&b, 0)
		for _, s := range steps {
			p.Show(s)
		}
		p.Done()
		assert.Equal(t, `  1.0s  arrivals  50 of 100 joined
  3.0s  steady    100 of 100 joined  5 of 10 s  delivered 99.9%
  9.0s  steady    100 of 100 joined  9 of 10 s
`, b.String())
	})
	t.Run("of those who publish where nobody is cast to listen", func(t *testing.T) {
		var b bytes.Buffer
		p := New(&b, 0)
		for _, s := range []loadgen.Progress{
			{Phase: "opening", Elapsed: time.Second, Mics: 10},
			{Phase: "arrivals", Elapsed: 2 * time.Second, Mics: 10, Published: 1},
			{Phase: "steady", Elapsed: 3 * time.Second, Hold: 10 * time.Second, Mics: 10, Published: 9},
		} {
			p.Show(s)
		}
		assert.Equal(t, "  2.0s  arrivals  1 of 10 published\n  3.0s  steady    9 of 10 published  0 of 10 s\n", b.String())
	})
	t.Run("nothing of a run that ends before anybody came", func(t *testing.T) {
		for _, s := range []loadgen.Progress{{Phase: "leaving", Cast: 25, Mics: 1}, {Phase: "leaving", Mics: 1}, {Phase: "opening", Mics: 1}} {
			for _, width := range []int{0, 80} {
				var b bytes.Buffer
				p := New(&b, width)
				p.Show(s)
				p.Done()
				assert.Empty(t, b.String())
			}
		}
	})
	t.Run("on a narrow terminal it is the words, without the bar", func(t *testing.T) {
		var b bytes.Buffer
		p := New(&b, 40)
		p.Show(steps[0])
		assert.Equal(t, "\r\x1b[K  1.0s  arrivals  50 of 100 joined", b.String())
	})
	t.Run("on a terminal it is a bar that is taken away in the end", func(t *testing.T) {
		var b bytes.Buffer
		p := New(&b, 80)
		for _, s := range steps {
			p.Show(s)
		}
		p.Done()
		assert.Contains(t, b.String(), "[============            ]   1.0s  arrivals")
		assert.NotContains(t, b.String(), "\n")
		for _, drawn := range strings.Split(b.String(), "\r\x1b[K") {
			assert.Less(t, len([]rune(drawn)), 80)
		}
		assert.True(t, bytes.HasSuffix(b.Bytes(), []byte("\r\x1b[K")))
	})
}
