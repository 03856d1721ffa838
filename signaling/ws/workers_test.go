package ws

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A job that blocks does not delay another.
func TestWorkerPoolStartsEveryJobAtOnce(t *testing.T) {
	var p workerPool
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
