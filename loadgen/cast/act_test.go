package cast

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// waits is for how long a test looks whether something waits that should.
const waits = 20 * time.Millisecond

// Acts on one person follow one another.
func TestActsFollowOneAnother(t *testing.T) {
	h, p := &roomRun{}, &person{}
	first := h.plan(p)
	first.begin()
	var mu sync.Mutex
	var order []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	noted := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string{}, order...)
	}
	var all sync.WaitGroup
	for range 2 {
		a := h.plan(p)
		all.Go(func() {
			a.begin()
			defer a.end()
			note("begins")
			time.Sleep(waits)
			note("ends")
		})
	}
	time.Sleep(waits)
	assert.Empty(t, noted())
	first.end()
	all.Wait()
	assert.Equal(t, []string{"begins", "ends", "begins", "ends"}, noted())
	assert.False(t, p.acts.busy())

	never := h.plan(p)
	assert.True(t, p.acts.busy())
	never.end()
	assert.False(t, p.acts.busy(), "an act that did not begin ends, too")
}

// What only measures what an act has come to ends when another act waits, or the run is over.
func TestActThatMeasuresEndsForAnother(t *testing.T) {
	const forever = time.Hour
	for _, c := range []struct {
		sentence string
		done     bool // what the person is is what they will be
		end      func(h *roomRun, p *person, cancel context.CancelFunc, all *sync.WaitGroup)
	}{
		{"a mute that is followed is measured until then", true, follow},
		{"a demotion that is followed, too, though nobody is chosen for something else meanwhile", false, follow},
		{"one is measured until the run is over", true, func(_ *roomRun, _ *person, cancel context.CancelFunc, _ *sync.WaitGroup) { cancel() }},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			h, p := &roomRun{}, &person{}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			first := h.plan(p)
			first.begin()
			assert.False(t, h.acting.TryLock(), "the room does not end before the answer")
			first.answer(c.done)
			assert.Equal(t, !c.done, p.acts.busy())
			if assert.True(t, h.acting.TryLock(), "the room may end") {
				h.acting.Unlock()
			}
			var second sync.WaitGroup
			time.AfterFunc(waits, func() { c.end(h, p, cancel, &second) })
			first.watch(ctx, forever)
			first.watch(ctx, waits)
			first.end()
			second.Wait()
			assert.False(t, p.acts.busy())
		})
	}
	h, p := &roomRun{}, &person{}
	alone := h.plan(p)
	alone.begin()
	alone.answer(true)
	began := time.Now()
	alone.watch(t.Context(), waits)
	assert.GreaterOrEqual(t, time.Since(began), waits, "one that nothing follows is measured for all of its time")
	alone.end()
}

// follow is another act on the person.
func follow(h *roomRun, p *person, _ context.CancelFunc, all *sync.WaitGroup) {
	a := h.plan(p)
	all.Go(func() {
		a.begin()
		a.end()
	})
}

// Nothing is asked of a server while the room ends.
func TestRoomEndsBetweenActs(t *testing.T) {
	h, p := &roomRun{}, &person{}
	h.acting.Lock()
	asked := make(chan struct{})
	a := h.plan(p)
	go func() {
		a.begin()
		defer a.end()
		close(asked)
	}()
	select {
	case <-asked:
		t.Error("the room is ending")
	case <-time.After(waits):
	}
	h.acting.Unlock()
	<-asked
}
