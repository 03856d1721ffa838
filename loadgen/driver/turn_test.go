package driver_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

func TestTurnsLetSoManyComputeAtATime(t *testing.T) {
	turns := driver.NewTurns(2)
	var computing atomic.Int32
	var joins sync.WaitGroup
	for range 50 {
		joins.Go(func() {
			turn := turns.Turn(func(time.Duration) {})
			defer turn.End()
			for range 20 {
				turn.Take(t.Context())
				assert.LessOrEqual(t, computing.Add(1), int32(2))
				computing.Add(-1)
				turn.Give()
			}
		})
	}
	joins.Wait()
}

func TestTurn(t *testing.T) {
	// takes reports whether another join gets its turn.
	takes := func(turns *driver.Turns) bool {
		waited := false
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		other := turns.Turn(func(time.Duration) { waited = true })
		other.Take(ctx)
		other.End()
		return !waited
	}
	for _, c := range []struct {
		sentence string
		do       func(*driver.Turn)
		free     bool
	}{
		{"others wait for one that is taken", func(u *driver.Turn) { u.Take(t.Context()) }, false},
		{"taking it twice is taking it once", func(u *driver.Turn) { u.Take(t.Context()); u.Take(t.Context()); u.Give() }, true},
		{"giving it back twice gives back nobody else's", func(u *driver.Turn) { u.Take(t.Context()); u.Give(); u.Give() }, true},
		{"after its end it is not taken any more", func(u *driver.Turn) { u.Take(t.Context()); u.End(); u.Take(t.Context()) }, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			turns := driver.NewTurns(1)
			turn := turns.Turn(func(time.Duration) {})
			c.do(turn)
			assert.Equal(t, c.free, takes(turns))
			turn.End()
			assert.True(t, takes(turns))
		})
	}
}

func TestTurnOfAContext(t *testing.T) {
	turn := driver.NewTurns(1).Turn(nil)
	assert.Same(t, turn, driver.TurnOf(driver.WithTurn(t.Context(), turn)))
	none := driver.TurnOf(t.Context())
	require.Nil(t, none)
	none.Take(t.Context()) // does nothing
	none.Give()
	none.End()
}

func TestTurnTellsOfTheTimeThatAJoinWaited(t *testing.T) {
	turns := driver.NewTurns(1)
	first := turns.Turn(nil)
	first.Take(t.Context())
	waited := make(chan time.Duration, 1)
	began := time.Now()
	var second sync.WaitGroup
	second.Go(func() {
		turn := turns.Turn(func(d time.Duration) { waited <- d })
		turn.Take(t.Context())
		turn.End()
	})
	time.Sleep(5 * time.Millisecond) // so that there is something to tell
	first.Give()
	second.Wait()
	if len(waited) > 0 { // it came before the turn was given back
		assert.LessOrEqual(t, <-waited, time.Since(began))
	}
}
