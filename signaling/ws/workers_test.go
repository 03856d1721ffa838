package ws

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A job that blocks does not delay another.
func TestWorkerPoolStartsEveryJobAtOnce(t *testing.T) {
	p := workerPool{trimmer: time.NewTimer(time.Hour)} // nothing is trimmed meanwhile
	const jobs = 3 * maxIdleWorkers
	release := make(chan struct{})
	var started, ended sync.WaitGroup
	started.Add(jobs)
	ended.Add(jobs)
	for range jobs {
		p.run(func() {
			defer ended.Done()
			started.Done()
			<-release
		})
	}
	started.Wait() // never returns if one job waits for another
	close(release)
	ended.Wait()
	idle := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.idle)
	}
	require.Eventually(t, func() bool { return idle() == maxIdleWorkers }, eventually, often, "idle workers are kept")

	again := make(chan struct{})
	p.run(func() { close(again) })
	<-again
	require.Eventually(t, func() bool { return idle() == maxIdleWorkers }, eventually, often, "an idle worker is reused")

	p.close()
	assert.Zero(t, idle())
	late := make(chan struct{})
	p.run(func() { close(late) })
	<-late
	p.wait()
}

// What a burst needed does not stay for ever.
func TestWorkersThatNothingNeedsEnd(t *testing.T) {
	p := workerPool{trimmer: time.NewTimer(time.Hour)} // the test trims itself
	idle := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.idle)
	}
	burst := func(jobs int) {
		all := max(jobs, idle())
		release := make(chan struct{})
		for range jobs {
			p.run(func() { <-release })
		}
		close(release)
		require.Eventually(t, func() bool { return idle() == all }, eventually, often)
	}
	burst(20)
	p.trim()
	assert.Equal(t, 20, idle(), "they were needed a moment ago")
	burst(5)
	p.trim()
	assert.Equal(t, 5, idle(), "fifteen were not needed since")
	p.trim()
	assert.Zero(t, idle(), "nothing was needed since")
	assert.Nil(t, p.trimmer, "and nothing is left to be done")
	p.workers.Wait() // never returns if one is still there

	p.trimmer = time.NewTimer(time.Hour)
	burst(3)
	p.close()
	p.trim() // a timer that had fired already
	p.wait()
}
