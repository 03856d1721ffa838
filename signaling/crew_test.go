package signaling

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A job that blocks holds up no other.
func TestACrewBeginsEveryJobAtOnce(t *testing.T) {
	var c crew
	const jobs = 3 * idleHands
	release := make(chan struct{})
	var begun, ended sync.WaitGroup
	begun.Add(jobs)
	ended.Add(jobs)
	for range jobs {
		c.do(func() {
			defer ended.Done()
			begun.Done()
			<-release
		})
	}
	begun.Wait() // for ever, if one waits for another
	close(release)
	ended.Wait()
	idle := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.idle)
	}
	require.Eventually(t, func() bool { return idle() == idleHands }, eventually, often, "a few stay for what comes next")

	again := make(chan struct{})
	c.do(func() { close(again) })
	<-again
	require.Eventually(t, func() bool { return idle() == idleHands }, eventually, often, "one of them did it")

	c.close()
	assert.Zero(t, idle())
	late := make(chan struct{})
	c.do(func() { close(late) })
	<-late
	c.hands.Wait()
}
